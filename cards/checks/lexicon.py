"""Faults of the lexicon: what keeps it from being loaded, words of no value set, phrases that can never count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cards.checks.faults import fault_at, with_line
from cards.topic import Topic
from cards.words.lexicon_files import ConceptEntry, LexiconFile, find_lexicon_faults, read_lexicon_file
from cards.words.tokens import words_of


def find_faults_of_words(topics: Iterable[Topic]) -> list[str]:
    """Every fault of the words of these topics, one line each."""
    faults: list[str] = []
    for topic in {topic.files.lexicon: topic for topic in topics}.values():
        unloadable = [with_line(fault, fault.path) for fault in find_lexicon_faults(topic.files.lexicon)]
        faults += unloadable or [*_useless(topic), *_misspelled(topic)]
    return faults


def _useless(topic: Topic) -> Iterator[str]:
    """Words of no value set, and phrases that hold a word which the entry refuses."""
    for folder in topic.files.lexicon:
        for path in sorted(folder.glob("*.yaml")):
            for place, entry in enumerate(read_lexicon_file(path).concepts):
                if not topic.files.value_set(entry.concept).exists():
                    yield fault_at(path, f"there is no value set {entry.concept!r}", "concepts", place)
                for phrase, word in _refused(entry):
                    what = f"{entry.concept}: {phrase!r} can never count, because the entry refuses {word!r}"
                    yield fault_at(path, what, "concepts", place)


def _misspelled(topic: Topic) -> Iterator[str]:
    """Misspellings that are words of the lexicon themselves, whose phrases could then never be found."""
    paths = [path for folder in topic.files.lexicon for path in sorted(folder.glob("*.yaml"))]
    files = {path: read_lexicon_file(path) for path in paths}
    phrases = (phrase for file in files.values() for phrase in _phrases(file))
    words = {word for phrase in phrases for word in words_of(phrase.removesuffix("*"))}
    for path, file in files.items():
        for right, all_wrong in file.spellings.items():
            for wrong in all_wrong:
                if wrong in words or words_of(wrong) != (wrong,) or words_of(right) != (right,):
                    what = f"{wrong!r} for {right!r}: one word for one, and a misspelling may be no word of the lexicon"
                    yield fault_at(path, what, "spellings", right)


def _phrases(file: LexiconFile) -> Iterator[str]:
    for concept in file.concepts:
        yield from concept.phrases
    for listed in file.lists:
        yield from listed.phrases
    for modifier in file.modifiers:
        yield from modifier.phrases
    for ender in file.enders:
        yield from ender.phrases


def _refused(entry: ConceptEntry) -> Iterator[tuple[str, str]]:
    whole = [(refused, words_of(refused)) for refused in entry.not_words if not refused.endswith("*")]
    for phrase in entry.phrases if whole else ():
        words = words_of(phrase)
        for refused, inner in whole:
            places = range(len(words) - len(inner) + 1)
            if any(words[at : at + len(inner)] == inner for at in places):
                yield phrase, refused
