"""One text while its scopes are decided: what stands beside, before and behind what."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cards.words.draft import Draft, Word
from cards.words.durations import Duration
from cards.words.lexicon_files import ModifierEntry
from cards.words.mention import Assertion
from cards.words.sentences import Sentences
from cards.words.tokens import Tokens

_JOINED = 5  # words at most between two things that "and" joins
_MOST_JOINED = 12  # mentions: no sentence joins so many, and a text that repeats itself costs no more for it
_BEHIND = 4  # words at most between a thing and what is said behind it


@dataclass(frozen=True, slots=True)
class SmallWords:
    """`filler` may stand between a modifier and its mention, `prepositions` begin what is said further of it, `labels`
    open a list that one word may answer, `then` begins another step.
    """

    filler: frozenset[str]
    prepositions: frozenset[str]
    labels: frozenset[str]
    then: frozenset[str]


class Neighbors:
    """The drafts, modifiers and durations of one text by where they stand."""

    def __init__(
        self,
        tokens: Tokens,
        sentences: Sentences,
        drafts: Sequence[Draft],
        durations: Sequence[Duration],
        remarks: Iterable[tuple[int, int]],
        small: SmallWords,
    ) -> None:
        """`remarks`: spans of tokens that say something of a finding: modifiers, durations, procedures."""
        self.words, self._glued = tokens.words, tokens.glued
        self._sentence, self._chunk = sentences.sentence, sentences.chunk
        self._connectors, self._filler, self._prepositions = sentences.connectors, small.filler, small.prepositions
        self._labels, self._then = small.labels, small.then
        self.drafts = drafts
        self._durations = durations
        self._sign_sides: dict[int, str] = {}
        self._groups: dict[tuple[int, bool, tuple[int, ...]], list[Draft]] = {}
        self._covered = {place for first, last in remarks for place in range(first, last)}

    def is_inside(self, word: Word) -> bool:
        """Whether the words are part of a longer name or of a duration: "no perianal sensation", "2 day history of"."""
        names = [one.found.span for one in self.drafts] + [(one.first, one.last) for one in self._durations]
        return any(
            first <= word.first and word.last <= last and word.last - word.first < last - first for first, last in names
        )

    def in_order(self, words: Sequence[Word]) -> Iterator[Word | Draft]:
        """Modifiers, enders and drafts as they stand."""
        placed: list[Word | Draft] = [*words, *self.drafts]
        yield from sorted(placed, key=lambda one: (one.first, isinstance(one, Draft)))

    def same_sentence(self, one: int, other: int) -> bool:
        """Whether two tokens stand in one sentence."""
        return self._sentence[one] == self._sentence[other]

    def _is_told_before(self, one: int, other: int) -> bool:
        """Whether two tokens stand in one sentence, or the other begins the next: "Chronic cough. Worse since EGD"."""
        apart = self._sentence[other] - self._sentence[one]
        starts = self._chunk[other] - self._chunk[one]
        return apart == 0 or (apart == 1 and starts >= 1 and self._is_bare_until(other, self._sentence))

    def is_adjacent(self, last: int, first: int) -> bool:
        """Whether nothing but filler stands between a token's end and a later token."""
        if first < last or (
            last < len(self.words) and not self.same_sentence(last - 1, min(first, len(self.words) - 1))
        ):
            return False
        return all(word in self._filler for word in self.words[last:first])

    def commas(self, last: int, first: int) -> int:
        """The commas, brackets and dashes between two places."""
        return self._chunk[first] - self._chunk[last - 1]

    def has_dash(self, last: int, first: int) -> bool:
        """Whether a dash between blanks stands between two places."""
        return any(self.words[at] == "-" and not self._glued[at] for at in range(last, first))

    def words_since_break(self, last: int, first: int) -> int:
        """The words between two places since the last comma or connector there."""
        count = 0
        for word in self.words[last:first]:
            count = 0 if word in self._connectors or word in ",():" else count + 1
        return count

    def last_words_hold(self, last: int, first: int, wanted: frozenset[str]) -> bool:
        """Whether one of these words stands between two places, behind the last comma there."""
        return any(self.words[at] in wanted and self._chunk[at] == self._chunk[first] for at in range(last, first))

    def beside(self, first: int, last: int, drafts: Sequence[Draft]) -> list[Draft]:
        """What a duration or a modifier at these tokens is said of: the nearest in its chunk, and what is joined to it.

        Where its chunk holds nothing else, what stands before the chunk, else behind it.
        """
        chunk = self._chunk[first]
        near = [one for one in drafts if self._chunk[one.first] == chunk]
        before = _last_of(one for one in near if one.last <= first)
        after = _first_of(one for one in near if one.first >= last)
        if before is None and after is None:
            if not self._is_remark(first, last):
                return []
            earlier = [one for one in drafts if one.last <= first and self._is_told_before(one.first, first)]
            later = [one for one in drafts if one.first >= last and self.same_sentence(one.first, first)]
            before = _last_of(earlier)
            after = _first_of(later) if before is None else None
        if before is not None and after is not None:
            gap = after.first - last
            is_next = gap == 0 or gap < first - before.found.tail
            after, before = (after, None) if is_next else (None, before)
        target = before or after
        return self.group(target, drafts, forward=before is None) if target else []

    def is_joined_to_next(self, draft: Draft, wanted: frozenset[str]) -> bool:
        """Whether one of these words, and no comma, stands between a mention and the next: "fever or weakness"."""
        later = _first_of(one for one in self.drafts if one.first >= draft.last)
        if later is None or self._chunk[later.first] != self._chunk[draft.first]:
            return False
        return not wanted.isdisjoint(self.words[draft.last : later.first])

    def is_in_or_list(self, start: int, draft: Draft, wanted: frozenset[str]) -> bool:
        """Whether a mention is in a list that begins at a place, and ends in ", or"."""
        last = next((at for at in range(start, len(self.words)) if self.words[at] in wanted), None)
        if last is None or self.words[last - 1] != "," or not self.same_sentence(start - 1, last):
            return False
        if self._chunk[draft.first] > self._chunk[last]:
            return False
        return self.words_since_break(start, last) <= _JOINED

    def on_the_same_words(self, targets: Sequence[Draft], drafts: Sequence[Draft]) -> list[Draft]:
        """Those that share words with one of these: a phrase may name several concepts."""
        return [one for one in drafts if any(one.first < other.last and other.first < one.last for other in targets)]

    def group(self, target: Draft, drafts: Sequence[Draft], *, forward: bool) -> list[Draft]:
        """A mention with those on the same words, and those that connectors join to it, forward or backward.

        What stands right beside it is joined, too. A procedure joins no finding.
        """
        key = (id(target), forward, tuple(map(id, drafts)))
        if key not in self._groups:
            self._groups[key] = self._grouped(target, drafts, forward=forward)
        return self._groups[key]

    def _grouped(self, target: Draft, drafts: Sequence[Draft], *, forward: bool) -> list[Draft]:
        grouped = self.on_the_same_words([target], drafts)
        ordered = sorted(drafts, key=lambda one: one.first, reverse=not forward)
        edge = target
        for one in ordered:
            left, right = (edge, one) if forward else (one, edge)
            if one in grouped or left.last > right.first:
                continue
            if len(grouped) >= _MOST_JOINED:
                break
            gap = self.words[left.last : right.first]
            joined = not gap or (len(gap) <= _JOINED and any(word in self._connectors for word in gap))
            if not joined or left.is_procedure != right.is_procedure or self.commas(left.last, right.first):
                break
            grouped += [other for other in self.on_the_same_words([one], drafts) if other not in grouped]
            edge = one
        return grouped

    def is_excepted(self, draft: Draft, exceptions: frozenset[str]) -> bool:
        """Whether the place of a mention stands behind an exception: "no weakness other than the left foot"."""
        behind = range(draft.last, draft.found.tail)
        is_other = any(one.last > draft.found.tail - 1 >= one.first for one in self.drafts if one.last > draft.last)
        return not is_other and any(self.words[at] in exceptions for at in behind)

    def is_denied_apart(self, word: Word, denials: Iterable[int]) -> bool:
        """Whether the chunk of a word holds a denial and no mention: "left leg weak, right normal"."""
        chunk = self._chunk[word.first]
        is_apart = all(self._chunk[one.first] != chunk for one in self.drafts)
        return is_apart and any(self._chunk[at] == chunk for at in denials)

    def ends_chunk(self, place: int) -> bool:
        """Whether a chunk, or the text, ends at a token."""
        return place >= len(self.words) or not self.words[place].isalnum()

    def before(self, place: int, drafts: Sequence[Draft]) -> list[Draft]:
        """The last mention before a place in its chunk, or before the chunk where that begins there, and its group."""
        target = _last_of(self._all_before(place, drafts))
        if target is None:
            return []
        if self._chunk[target.first] != self._chunk[place] and not self._is_bare_until(place, self._chunk):
            return []
        return self.group(target, drafts, forward=False)

    def _all_before(self, place: int, drafts: Sequence[Draft]) -> list[Draft]:
        return [one for one in drafts if one.last <= place and self.same_sentence(one.first, place)]

    def all_after(self, place: int, drafts: Sequence[Draft]) -> list[Draft]:
        """Every mention behind a place in its sentence."""
        return [one for one in drafts if one.first >= place and self.same_sentence(one.first, place - 1)]

    def next_after(self, word: Word, drafts: Sequence[Draft], *, adjacent: bool) -> list[Draft]:
        """The next mention behind a word, in its sentence and of the same step: not what "then" follows."""
        target = _first_of(self.all_after(word.last, drafts))
        if target is None or not self._then.isdisjoint(self.words[word.last : target.first]):
            return []
        if adjacent and not self.is_adjacent(word.last, target.first):
            return []
        return self.group(target, drafts, forward=True)

    def next_before(self, word: Word, drafts: Sequence[Draft], *, adjacent: bool) -> list[Draft]:
        """The last mention shortly before a word, no comma and no "then" between."""
        target = _last_of(self._all_before(word.first, drafts))
        if target is None or word.first - target.last > _BEHIND:
            return []
        between = self.words[target.last : word.first]
        if "," in between or "(" in between or not self._connectors.isdisjoint(between):
            return []
        if not self._then.isdisjoint(between):
            return []
        if adjacent and not self.is_adjacent(target.last, word.first):
            return []
        return self.group(target, drafts, forward=False)

    def stands_before(self, word: Word, links: frozenset[str]) -> bool:
        """Whether an assertion is said of what follows it, and not of what stands before it."""
        side = word.entry.side if isinstance(word.entry, ModifierEntry) else "before"
        if side == "answer":
            return not (self._is_answer(word) or (self.is_last(word) and self._label_before(word) is not None))
        if side != "any":
            return side == "before"
        follows = bool(self.all_after(word.last, self.drafts))
        hangs_left = self._glued[word.first] and word.first > 0
        hangs_right = word.last < len(self.words) and self._glued[word.last]
        if self.words[word.first] == "?":
            return (hangs_right and not hangs_left) or (follows and (hangs_right or not hangs_left))
        if not self.said_before(word, links, over_commas=False):
            return follows
        next_to = [one for one in self.drafts if one.first >= word.last and self.is_adjacent(word.last, one.first)]
        return bool(next_to) and isinstance(word.entry, ModifierEntry) and word.entry.kind == Assertion.SUSPECTED

    def signs_stand(self, word: Word) -> str:
        """Where signs such as "(-)" stand that a sentence mixes with "(+)": before or after what they are said of.

        "both" for other words and for signs that are all the same; "" where it is not clear.
        """
        if self.words[word.first] != "(" or any(self.words[at].isalnum() for at in range(word.first, word.last)):
            return "both"
        sentence = self._sentence[word.first]
        if sentence not in self._sign_sides:
            self._sign_sides[sentence] = self._side_of_signs(sentence)
        return self._sign_sides[sentence]

    def _side_of_signs(self, sentence: int) -> str:
        places = range(bisect_left(self._sentence, sentence), bisect_right(self._sentence, sentence))
        signs = [at for at in places if self.words[at : at + 3] in (["(", "-", ")"], ["(", "+", ")"])]
        is_named = any(self._is_named_until(one, signs[0]) for one in self.drafts if one.last <= signs[0])
        is_headed = signs[0] > places.start and self.words[signs[0] - 1].isalnum()
        if not any(self.words[at + 1] == "+" for at in signs):
            return "both" if is_named or is_headed else "before"
        behind = signs[-1] + 3
        if (is_named or is_headed) and not (behind < places.stop and self.words[behind].isalnum()):
            return "after"
        return "" if is_named else "before"

    def said_before(self, word: Word, links: frozenset[str], *, over_commas: bool) -> list[Draft]:
        """What a word behind a mention is said of: nothing but links between them, or a comma and nothing else."""
        earlier = self._all_before(word.first, self.drafts)
        if over_commas:
            return earlier
        target = _last_of(earlier)
        if target is None:
            return []
        start = target.found.tail if target.last <= target.found.tail <= word.first else target.last
        between = [(at, self.words[at]) for at in range(start, word.first) if at not in self._covered]
        if any(one == "," for _, one in between) and not self._is_bare(word.first):
            is_over = isinstance(word.entry, ModifierEntry) and word.entry.kind == Assertion.PAST
            if not (is_over and self._is_remark(word.first, word.last)):
                return []
        if not all(one in links or one in self._filler or one in ",-:=(" for _, one in between):
            return []
        return self.group(target, self.drafts, forward=False)

    def listed_under_label(self, word: Word) -> list[Draft]:
        """What a list names that a label opens and this word closes: "ROS: fever, weakness - none".

        Nothing where the list has a number, an onset or another answer in it: what it names is then not all answered.
        """
        start = self._label_before(word)
        if start is None:
            return []
        listed = [one for one in self.drafts if start < one.first and one.last <= word.first]
        has_number = any(self.words[at][0].isdigit() for at in range(start, word.first))
        has_answer = any(one.has_onset or one.assertion is not None for one in listed)
        return [] if has_number or has_answer else listed

    def _label_before(self, word: Word) -> int | None:
        """The sign that opens a labeled list, if this word may be the answer to it."""
        if self.words[word.first - 1] not in ("-", ":", "="):
            return None
        signs = (
            at
            for at in range(word.first - 2, 0, -1)
            if self.words[at] in (":", "(") and self.words[at - 1] in self._labels
        )
        return next((at for at in signs if self.same_sentence(at, word.first)), None)

    def is_last(self, word: Word) -> bool:
        """Whether nothing is said behind a word that it could be said of."""
        is_last = word.last >= len(self.words) or not self.same_sentence(word.first, word.last)
        return is_last or self.words[word.last] in ",;.)|!\n"

    def _is_named_until(self, draft: Draft, place: int) -> bool:
        """Whether a mention, and what is said of it, reach up to a place: "weakness of the left leg: no"."""
        end = max(draft.last, draft.found.tail)
        return end <= place and all(at in self._covered or self.words[at] in self._filler for at in range(end, place))

    def _is_answer(self, word: Word) -> bool:
        """Whether a word answers a field: "Fever: no", "Fever - no", and not "Plan: no fever"."""
        if not word.first or self.words[word.first - 1] not in ":=-":
            return False
        if not any(self._is_named_until(one, word.first - 1) for one in self.drafts if one.last < word.first):
            return False
        if self.is_last(word):
            return True
        if self.words[word.first - 1] == "-":
            return False
        later = _first_of(one for one in self.drafts if one.first >= word.last)
        end = max(later.last, later.found.tail) if later else 0
        return later is not None and self.words[end : end + 1] in ([":"], ["="])

    def _is_bare(self, place: int) -> bool:
        """Whether the chunk of a token holds nothing but modifiers, durations and filler."""
        chunk = self._chunk[place]
        return all(self._is_small(at) for at, other in enumerate(self._chunk) if other == chunk)

    def _is_remark(self, first: int, last: int) -> bool:
        """Whether a chunk speaks of what stands before it: "worse", "worse at night", but not "severe fatigue"."""
        if self._is_bare(first):
            return True
        if last >= len(self.words) or self._chunk[last] != self._chunk[first]:
            return self._is_bare_until(first, self._chunk)
        return self._is_bare_until(first, self._chunk) and (
            last in self._covered or not self.words[last].isalnum() or self.words[last] in self._prepositions
        )

    def _is_bare_until(self, place: int, part_of: Sequence[int]) -> bool:
        """Whether only small words stand before a token in its part. `part_of`: the number of each token's part."""
        while place and part_of[place - 1] == part_of[place]:
            place -= 1
            if not self._is_small(place):
                return False
        return True

    def _is_small(self, at: int) -> bool:
        """Whether a word is a modifier, a duration or filler."""
        word = self.words[at]
        return at in self._covered or word in self._filler or word in self._connectors or not word.isalnum()


def _first_of(drafts: Iterable[Draft]) -> Draft | None:
    return min(drafts, key=lambda one: one.first, default=None)


def _last_of(drafts: Iterable[Draft]) -> Draft | None:
    return max(drafts, key=lambda one: (one.last, one.found.tail), default=None)
