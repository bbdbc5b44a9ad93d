"""Faults of the lexicon: what keeps it from being loaded, words of no value set, phrases that can never count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cards.checks.faults import fault_at, with_line
from cards.topic import Topic
from cards.words.lexicon_files import (
    ConceptEntry,
    LexiconContent,
    LexiconFile,
    find_lexicon_faults,
    list_lexicon_files,
    merge_lexicon,
    read_lexicon_file,
)
from cards.words.tokens import words_of


def load_words_or_report(faults: list[str], topics: Iterable[Topic]) -> dict[tuple[Path, ...], LexiconContent]:
    """The words of these topics by their folders, as far as they can be loaded; every fault is one more of `faults`."""
    words = {}
    for folders, topic in {topic.files.lexicon: topic for topic in topics}.items():
        unloadable = [with_line(fault, fault.path) for fault in find_lexicon_faults(folders)]
        if not unloadable:
            words[folders] = merge_lexicon(folders)
        files = {} if unloadable else {path: read_lexicon_file(path) for path in list_lexicon_files(folders)}
        faults += unloadable or [*_useless(topic, files), *_misspelled(files)]
    return words


def _useless(topic: Topic, files: Mapping[Path, LexiconFile]) -> Iterator[str]:
    """Words of no value set, and phrases that hold a word which the entry refuses."""
    for path, file in files.items():
        for place, entry in enumerate(file.concepts):
            if not topic.files.value_set(entry.concept).exists():
                yield fault_at(path, f"there is no value set {entry.concept!r}", "concepts", place)
            for phrase, word in _refused(entry):
                what = f"{entry.concept}: {phrase!r} can never count, because the entry refuses {word!r}"
                yield fault_at(path, what, "concepts", place)


def _misspelled(files: Mapping[Path, LexiconFile]) -> Iterator[str]:
    """Misspellings that are words of the lexicon themselves, whose phrases could then never be found."""
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
