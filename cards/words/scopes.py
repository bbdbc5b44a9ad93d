"""What a text says of the concepts it names: denied, suspected, of the past, how bad, since when.

The words are data (cards/lexicon/modifiers.yaml); here is how far they reach, in the manner of NegEx and ConText
(Chapman et al., J Biomed Inform 2001;34:301; Harkema et al., J Biomed Inform 2009;42:839).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cards.words.draft import Draft, Found, Word
from cards.words.durations import Duration
from cards.words.lexicon_files import EnderEntry, LexiconContent, ModifierEntry
from cards.words.mention import Assertion, Mention
from cards.words.neighbors import Neighbors, SmallWords
from cards.words.phrase_index import PhraseIndex
from cards.words.sentences import Sentences
from cards.words.tokens import Tokens

_ASSERTIONS = {str(one): one for one in Assertion}
_NO_MODIFIER = "none"  # words that look like a modifier and are none: "not only"
_SINCE = "since"
_BEFORE = "before-event"
_NO_WORSE = "no-worse"
_NO_TAGS = frozenset({*_ASSERTIONS, _SINCE, _BEFORE, _NO_MODIFIER})
_STRONGER = (Assertion.FAMILY, Assertion.HYPOTHETICAL)  # "risk of", with a denial or a past behind it, stays what it is
_KNOWN = "chronic"  # behind a comma it says that a thing is there
_SIDES = frozenset({"left", "right", "both-sides"})
_CHANGES = frozenset({"severe", "new", "acute", "worse"})  # behind a comma they say that a thing is there
_ENDER_BEHIND = 2  # words: "denies that he has fever" denies the fever
_FARTHEST = 8  # words without a comma between a modifier, or the last thing it reached, and the next


@dataclass(slots=True)
class _Reach:
    """The modifier that governs what follows, and how far it has come."""

    word: Word
    entry: ModifierEntry
    assertion: Assertion
    at: int  # the token behind the modifier, or behind the last thing it reached
    count: int = 0
    last_first: int = -1
    last_last: int = -1


class ScopeReader:
    """Decides what a text says of the concepts found in it."""

    def __init__(self, content: LexiconContent, names: Iterable[str]) -> None:
        """`names`: the concepts that are looked for."""
        wanted = frozenset(names)
        self._words: PhraseIndex[ModifierEntry | EnderEntry] = PhraseIndex()
        entries: list[ModifierEntry | EnderEntry] = [*content.modifiers, *content.enders]
        for entry in entries:
            if not isinstance(entry, ModifierEntry) or not entry.of or not wanted.isdisjoint(entry.of):
                for phrase in entry.phrases:
                    self._words.add(phrase, entry)
        self._or = content.small("or")
        self._small = SmallWords(
            content.small("filler"), content.small("prepositions"), content.small("labels"), content.small("then")
        )
        self._links = content.small("links")
        self._but = content.small("but")
        self._procedures = content.of_kind("procedures")
        self._diagnoses = content.of_kind("diagnoses")
        self._presenting = content.of_kind("presenting")

    def find_words(self, tokens: Tokens) -> list[Word]:
        """The modifiers and enders of a text, the longest of those that overlap."""
        kept: list[Word] = []
        end = 0
        span = (-1, -1)
        for entry, first, last in self._words.find(tokens.words):
            if (first, last) != span and first < end:
                continue
            if (
                isinstance(entry, ModifierEntry)
                and entry.case == "upper"
                and not tokens.original(first, last).isupper()
            ):
                continue
            kept.append(Word(entry, first, last))
            end, span = last, (first, last)
        return kept

    def read(
        self,
        tokens: Tokens,
        sentences: Sentences,
        named: Sequence[Found],
        words: Sequence[Word],
        durations: Sequence[Duration],
    ) -> tuple[Mention, ...]:
        """The mentions of a text, in its order."""
        drafts = [Draft(one, one.entry.concept in self._procedures) for one in named]
        remarks = [(word.first, word.last) for word in words]
        remarks += [(duration.first, duration.last) for duration in durations]
        remarks += [draft.found.span for draft in drafts if draft.is_procedure]
        text = Neighbors(tokens, sentences, drafts, durations, remarks, self._small)
        free = [word for word in words if not text.is_inside(word)]
        self._attach_since(text, words)
        _attach_durations(text, durations)
        self._attach_tags(text, words)
        self._govern(text, free)
        self._look_back(text, free)
        return tuple(self._mention(draft, tokens) for draft in drafts)

    def _mention(self, draft: Draft, tokens: Tokens) -> Mention:
        assertion = draft.assertion or Assertion.PRESENT
        is_over = draft.lies_back and (draft.began is None or draft.began.most > 0)
        if draft.is_procedure and assertion is Assertion.PRESENT and is_over:
            assertion = Assertion.PAST
        because = tuple(dict.fromkeys(tokens.original(first, last) for first, last in sorted(set(draft.reasons))))
        return Mention(
            draft.concept,
            assertion,
            frozenset(draft.modifiers),
            draft.began,
            draft.since,
            tokens.starts[draft.first],
            tokens.ends[draft.last - 1],
            because,
            draft.year,
        )

    def _attach_since(self, text: Neighbors, words: Sequence[Word]) -> None:
        """ "since biopsy", "2 days post biopsy": the procedure is past, and what stands beside it began since.

        What stands before "before biopsy" is known.
        """
        events = [one for one in text.drafts if one.is_procedure]
        others = [one for one in text.drafts if not one.is_procedure]
        for word in words if events else ():
            if not isinstance(word.entry, ModifierEntry) or word.entry.kind not in (_SINCE, _BEFORE):
                continue
            event = next((one for one in events if text.is_adjacent(word.last, one.first)), None)
            if event is None:
                continue
            if word.entry.kind == _BEFORE:
                self._attach_before(text, word, event, words)
                continue
            names = [one for one in others if one.first < word.first and event.last <= one.last]
            for one in text.on_the_same_words([event], events):
                one.assertion = Assertion.PAST
                one.reasons.append((word.first, word.last))
            if self._is_compared(text, word, words):
                continue
            targets = text.on_the_same_words(names, others) or text.before(word.first, others)
            if not targets and word.entry.reach != "one":
                targets = text.all_after(event.last, others)
            for one in targets:
                one.since = event.concept
                one.reasons.append((word.first, event.last))

    def _attach_before(self, text: Neighbors, word: Word, event: Draft, words: Sequence[Word]) -> None:
        """ "swelling before biopsy": known then; not "not there before biopsy", nor "before biopsy and again"."""
        others = [one for one in text.drafts if not one.is_procedure]
        denials = _denials(words)
        for one in text.before(word.first, others) if text.ends_chunk(event.last) else ():
            if not any(one.last <= place < word.first for place in denials):
                one.modifiers.add(_KNOWN)
                one.reasons.append((word.first, event.last))

    def _is_compared(self, text: Neighbors, since: Word, words: Sequence[Word]) -> bool:
        """Whether "since" compares: what is "no worse since biopsy" was there before it."""
        comparisons = (word for word in words if isinstance(word.entry, ModifierEntry) and word.entry.kind == _NO_WORSE)
        return any(text.is_adjacent(word.last, since.first) for word in comparisons)

    def _attach_tags(self, text: Neighbors, words: Sequence[Word]) -> None:
        """How bad, how it changes, which side: to the nearest mention of its chunk."""
        denials = _denials(words)
        for word in words:
            entry = word.entry
            if not isinstance(entry, ModifierEntry) or entry.kind in _NO_TAGS:
                continue
            if entry.kind in _SIDES and text.is_denied_apart(word, denials):
                continue
            fitting = [one for one in text.drafts if self._fits(one, entry)]
            for one in self._tagged(text, word, entry, fitting):
                one.modifiers.add(entry.kind)
                one.reasons.append((word.first, word.last))

    def _fits(self, draft: Draft, entry: ModifierEntry) -> bool:
        """Whether a modifier can be said of a mention: "severe" and "worse" are said of no procedure, and of what lasts
        only its side: in "weak leg, old stroke, worse" it is the leg.
        """
        if entry.of:
            return draft.concept in entry.of
        return draft.concept not in self._procedures and (not draft.found.entry.lasting or entry.kind in _SIDES)

    def _tagged(self, text: Neighbors, word: Word, entry: ModifierEntry, fitting: Sequence[Draft]) -> list[Draft]:
        inside = [one for one in fitting if one.first <= word.first and word.last <= one.last]
        if inside:
            return text.on_the_same_words(inside, fitting)
        if entry.side == "any" and not entry.adjacent and not entry.of:
            return text.beside(word.first, word.last, fitting)
        found: list[Draft] = []
        if entry.side != "after":
            found += text.next_after(word, fitting, adjacent=entry.adjacent)
        if entry.side != "before" and not found:
            found += text.next_before(word, fitting, adjacent=entry.adjacent)
        return found

    def _govern(self, text: Neighbors, words: Sequence[Word]) -> None:
        """Left to right: what stands before a mention and reaches it."""
        reach: _Reach | None = None
        for event in text.in_order(words):
            if reach is not None and not text.same_sentence(event.first, reach.word.first):
                reach = None
            if isinstance(event, Draft):
                if reach is not None and not self._extend(text, reach, event):
                    reach = None
            elif isinstance(event.entry, EnderEntry):
                if reach is not None and _ends(text, event, event.entry, reach):
                    reach = None
            elif event.entry.kind in _ASSERTIONS and text.stands_before(event, self._links):
                is_meant = text.signs_stand(event) in ("before", "both")
                reach = self._begin(text, reach, event, event.entry) if is_meant else None
            elif event.entry.kind == Assertion.PRESENT and text.signs_stand(event) == "before":
                reach = None

    def _begin(self, text: Neighbors, reach: _Reach | None, word: Word, entry: ModifierEntry) -> _Reach:
        """A new modifier governs, unless the one before it stands right beside it: "denies history of"."""
        assertion = _ASSERTIONS[entry.kind]
        if reach is not None and reach.count == 0 and text.is_adjacent(reach.word.last, word.first):
            denied = reach.assertion is Assertion.DENIED and assertion is not Assertion.HYPOTHETICAL
            if denied or reach.assertion in _STRONGER:
                reach.at = word.last
                return reach
        elif reach is not None and reach.assertion in _STRONGER and text.commas(reach.word.last, word.first) == 0:
            reach.at = word.last
            return reach
        return _Reach(word, entry, assertion, word.last)

    def _extend(self, text: Neighbors, reach: _Reach, draft: Draft) -> bool:
        """Whether the modifier reaches this mention; if so it is said of it."""
        if reach.entry.of and draft.concept not in reach.entry.of:
            return True
        if reach.assertion is Assertion.DENIED and text.is_excepted(draft, self._but):
            return True
        if _overlaps(draft, reach):
            self._say(draft, reach)
            return True
        if not self._reaches(text, reach, draft):
            return False
        self._say(draft, reach)
        reach.count += 1
        reach.at = max(reach.at, draft.last)
        reach.last_first, reach.last_last = draft.first, draft.last
        return True

    def _reaches(self, text: Neighbors, reach: _Reach, draft: Draft) -> bool:
        commas = text.commas(reach.at, draft.first)
        kind = reach.entry.reach
        if text.words_since_break(reach.at, draft.first) > _FARTHEST or text.has_dash(reach.at, draft.first):
            return False
        if kind == "one":
            return reach.count == 0 and commas == 0
        if kind == "joined":
            return commas == 0
        if kind == "or":
            said = (
                one.has_onset or not _CHANGES.isdisjoint(one.modifiers)
                for one in text.all_after(draft.first, text.drafts)
            )
            return not any(said) and text.is_in_or_list(reach.word.last, draft, self._or)
        if kind == "sentence":
            return True
        if reach.assertion is Assertion.DENIED and draft.is_procedure:
            is_next = reach.count == 0 and commas == 0
            return is_next and (not draft.has_onset or text.is_adjacent(reach.word.last, draft.first))
        is_of_list = text.last_words_hold(reach.at, draft.first, self._or) or text.is_joined_to_next(draft, self._or)
        if commas and not is_of_list:  # in a list that ends in "or" the onset is that of the list
            if draft.has_onset or _KNOWN in draft.modifiers:
                return False
            if kind == "series" and (not _CHANGES.isdisjoint(draft.modifiers) or self._closes_list(text, draft)):
                return False
        if commas and reach.assertion is Assertion.SUSPECTED:
            return draft.concept in self._diagnoses
        return True

    def _closes_list(self, text: Neighbors, draft: Draft) -> bool:
        """Whether a list closes with what a patient comes for, which a denial at its head does not mean."""
        later = (one for one in text.all_after(draft.last, text.drafts) if not one.is_procedure)
        return draft.concept in self._presenting and all(one.concept in self._presenting for one in later)

    def _say(self, draft: Draft, reach: _Reach) -> None:
        if reach.assertion is Assertion.PAST and _KNOWN in draft.modifiers:
            return  # a history of what is chronic says that it is there
        if draft.assertion is Assertion.PAST and draft.is_procedure:
            return  # "since biopsy" says that it was done, whatever governs the sentence
        _assert(draft, reach.assertion, reach.word)

    def _look_back(self, text: Neighbors, words: Sequence[Word]) -> None:
        """What stands behind a mention: "fever: denied", "CES ruled out", "Scoliosis, family history"."""
        for word in words:
            entry = word.entry
            if not isinstance(entry, ModifierEntry) or entry.kind not in _ASSERTIONS or entry.side == "before":
                continue
            if text.stands_before(word, self._links) or text.signs_stand(word) not in ("after", "both"):
                continue
            is_denied = _ASSERTIONS[entry.kind] is Assertion.DENIED
            listed = text.listed_under_label(word) if is_denied else []
            for one in [
                *listed,
                *text.said_before(word, self._links, over_commas=entry.reach == "list" and entry.side == "after"),
            ]:
                if one.assertion in _STRONGER or (entry.of and one.concept not in entry.of):
                    continue
                if is_denied and one.assertion is Assertion.PRESENT:
                    continue  # "tremor (+) fever (-)"
                if is_denied and one.is_procedure and not text.is_adjacent(one.last, word.first):
                    continue  # "biopsy if CT negative" is no biopsy that was not done
                if one.is_procedure and entry.kind == Assertion.SUSPECTED and not text.is_last(word):
                    continue  # "biopsy probable lymphoma"
                _assert(one, _ASSERTIONS[entry.kind], word)


def _denials(words: Iterable[Word]) -> list[int]:
    """Where denials begin."""
    return [one.first for one in words if isinstance(one.entry, ModifierEntry) and one.entry.kind == Assertion.DENIED]


def _assert(draft: Draft, assertion: Assertion, word: Word) -> None:
    """Say it of a mention. A history of what lasts says that it is there, and for long: "h/o stroke"."""
    if assertion is Assertion.PAST and draft.found.entry.lasting:
        draft.modifiers.add(_KNOWN)
    else:
        draft.assertion = assertion
    draft.reasons.append((word.first, word.last))


def _attach_durations(text: Neighbors, durations: Sequence[Duration]) -> None:
    for duration in durations:
        for one in text.beside(duration.first, duration.last, text.drafts):
            if one.began is None:
                one.began, one.year = duration.days, one.year or duration.year
                one.is_dated = True
                one.lies_back = one.lies_back or duration.is_past
                one.reasons.append((duration.first, duration.last))


def _ends(text: Neighbors, word: Word, entry: EnderEntry, reach: _Reach) -> bool:
    """Whether an ender ends the reach of a modifier here."""
    if entry.when == "always":
        return True
    before = text.words[word.first - 1 : word.first]
    if entry.when == "new-fact" and reach.assertion is Assertion.HYPOTHETICAL:
        return False
    if entry.when in ("after-comma", "new-fact"):
        return before in ([","], ["-"], ["("]) or (before == ["and"] and text.words[word.first - 2] == ",")
    return reach.count > 0 or text.commas(reach.at, word.first) > 0 or word.first - reach.at > _ENDER_BEHIND


def _overlaps(draft: Draft, reach: _Reach) -> bool:
    """Whether a mention stands on the same words as the last one reached: one phrase may name two concepts."""
    return reach.count > 0 and draft.first < reach.last_last and reach.last_first < draft.last
