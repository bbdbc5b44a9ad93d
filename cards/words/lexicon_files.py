"""The files of cards/lexicon: how clinicians write, as a clinician edits it. Loading is strict, by file and line.

cards/lexicon/README.md explains every key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from cards.content.files import ContentError, compose, is_content, line_of_node, parse_yaml, read_text
from cards.content.rules import Step
from cards.words.tokens import words_of

_RUNAWAY = re.compile(r"\((?:[^()\\]|\\.)*[*+](?:[^()\\]|\\.)*\)[*+]")  # a repeat within a repeat

_LONG = 6  # letters; a shorter word with a slip is too often another word

Language = Literal["any", "en", "es", "pt", "fr", "de", "it", "nl"]
Case = Literal["any", "upper"]


class _Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of a file: kebab-case keys, unknown ones refused."""


class ConceptEntry(_Part):
    """Words that name a concept, and what has to stand beside them or must not."""

    concept: str
    language: Language
    phrases: list[str] = []
    pattern: str | None = None
    pattern_words: list[str] = []
    needs: list[str] = []
    needs_words: list[str] = []
    not_: list[str] = msgspec.field(name="not", default=[])
    not_words: list[str] = []
    never_beside: list[str] = []
    within: int | Literal["sentence", "text"] = "sentence"
    case: Case = "any"
    hides: list[str] = []
    lasting: bool = False


class ListEntry(_Part):
    """Words that other entries name under `needs` and `not`."""

    list_: str = msgspec.field(name="list")
    language: Language
    phrases: list[str] = []
    pattern: str | None = None
    case: Case = "any"


class ModifierEntry(_Part):
    """Words that say something of a mention beside them: `kind` is an assertion or the name of a modifier."""

    kind: str
    language: Language
    phrases: list[str]
    side: Literal["before", "after", "any", "answer"] = "any"
    reach: Literal["one", "joined", "series", "list", "or", "sentence"] = "list"
    of: list[str] = []
    adjacent: bool = False
    case: Case = "any"


class EnderEntry(_Part):
    """Words that end the reach of a modifier: always, later (not right behind it), or behind a comma only; `new-fact`:
    behind a comma, but for what is only told as a possibility.
    """

    language: Language
    phrases: list[str]
    when: Literal["always", "later", "after-comma", "new-fact"] = "always"


class Durations(_Part):
    """How durations are written; README.md explains each key."""

    units: dict[str, list[str]]
    numbers: dict[str, tuple[int, int]]
    introduced_by: list[str]
    followed_by: list[str]
    ago_before: list[str]
    never_after: list[str]
    never_before: list[str]
    moments: dict[str, tuple[int, int]]


class LexiconFile(_Part):
    """One file of the lexicon; every key may be left out."""

    concepts: list[ConceptEntry] = []
    lists: list[ListEntry] = []
    modifiers: list[ModifierEntry] = []
    enders: list[EnderEntry] = []
    small_words: dict[str, list[str]] = {}
    concept_kinds: dict[str, list[str]] = {}
    durations: Durations | None = None
    beside_codes: dict[str, list[str]] = {}
    spellings: dict[str, list[str]] = {}


_BETWEEN = ("and", "or", "but", "then", "filler", "prepositions", "links")
SMALL_WORDS = (*_BETWEEN, "labels", "answers", "abbreviations", "common")
CONCEPT_KINDS = ("procedures", "diagnoses", "presenting")


@dataclass(frozen=True)
class LexiconContent:
    """All files of the lexicon as one."""

    concepts: tuple[ConceptEntry, ...] = ()
    lists: tuple[ListEntry, ...] = ()
    modifiers: tuple[ModifierEntry, ...] = ()
    enders: tuple[EnderEntry, ...] = ()
    small_words: frozenset[tuple[str, str]] = frozenset()
    concept_kinds: frozenset[tuple[str, str]] = frozenset()
    durations: Durations | None = None
    beside_codes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    respelled: tuple[tuple[str, str], ...] = ()

    @property
    def concept_names(self) -> frozenset[str]:
        """Every concept that has words."""
        return frozenset(entry.concept for entry in self.concepts)

    @cached_property
    def spellings(self) -> dict[str, str]:
        """The word that each misspelling stands for: what is listed, and slips that are no word of the lexicon."""
        entries: list[ConceptEntry | ListEntry | ModifierEntry] = [*self.concepts, *self.lists, *self.modifiers]
        known = {word for entry in entries for phrase in entry.phrases for word in phrase.split()}
        slips = {slip: word for _, word in self.respelled for slip in _slips_of(word) if slip not in known}
        return slips | {wrong: right for wrong, right in self.respelled if wrong != right}

    def small(self, kind: str) -> frozenset[str]:
        """The small words of one kind."""
        return frozenset(word for of, word in self.small_words if of == kind)

    def of_kind(self, kind: str) -> frozenset[str]:
        """The concepts of one kind: procedures, diagnoses."""
        return frozenset(concept for of, concept in self.concept_kinds if of == kind)


def _slips_of(word: str) -> Iterator[str]:
    """A long word with one letter left out, one doubled, or two swapped; its first letter stays."""
    for at in range(1, len(word)) if len(word) >= _LONG else ():
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at] + word[at:]
        yield word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def load_lexicon(folders: Sequence[Path]) -> LexiconContent:
    """Every file of these folders. Raises ContentError at the first fault."""
    for fault in find_lexicon_faults(folders):
        raise fault
    return merge_lexicon(folders)


def find_lexicon_faults(folders: Sequence[Path]) -> Iterator[ContentError]:
    """Everything that keeps the lexicon from being loaded, by file and line."""
    files: dict[Path, LexiconFile] = {}
    for path in list_lexicon_files(folders):
        try:
            files[path] = read_lexicon_file(path)
        except ContentError as fault:
            yield fault
    yield from _faults(files, folders)


def _faults(files: dict[Path, LexiconFile], folders: Sequence[Path]) -> Iterator[ContentError]:
    if not files:
        yield ContentError(folders[0], "there is no file of words in this folder")
    lists = {entry.list_ for file in files.values() for entry in file.lists}
    concepts = {entry.concept for file in files.values() for entry in file.concepts}
    for path, file in files.items():
        yield from _faults_of(path, file, lists, concepts)
    yield from _repeated(files)
    if sum(file.durations is not None for file in files.values()) > 1:
        yield ContentError(folders[0], "only one file may hold durations")


def list_lexicon_files(folders: Sequence[Path]) -> list[Path]:
    """The files of these folders, in the order in which they are loaded."""
    return [path for folder in folders for path in sorted(folder.glob("*.yaml")) if is_content(path)]


def read_lexicon_file(path: Path) -> LexiconFile:
    """One file. Raises ContentError. What a start loads and then checks is parsed once: do not change it."""
    return _parse(path, read_text(path))


@lru_cache(maxsize=16)
def _parse(path: Path, text: str) -> LexiconFile:
    return parse_yaml(path, text, LexiconFile)


def merge_lexicon(folders: Sequence[Path]) -> LexiconContent:
    """Every file of these folders, in which `find_lexicon_faults` found nothing."""
    files = [read_lexicon_file(path) for path in list_lexicon_files(folders)]
    durations = [file.durations for file in files if file.durations]
    return LexiconContent(
        tuple(entry for file in files for entry in file.concepts),
        tuple(entry for file in files for entry in file.lists),
        tuple(entry for file in files for entry in file.modifiers),
        tuple(entry for file in files for entry in file.enders),
        frozenset((kind, word) for file in files for kind, words in file.small_words.items() for word in words),
        frozenset((kind, name) for file in files for kind, names in file.concept_kinds.items() for name in names),
        durations[0] if durations else None,
        tuple((name, tuple(words)) for file in files for name, words in file.beside_codes.items()),
        tuple((wrong, right) for file in files for right, all_ in file.spellings.items() for wrong in (right, *all_)),
    )


def _faults_of(path: Path, file: LexiconFile, lists: set[str], concepts: set[str]) -> Iterator[ContentError]:
    """What the entries of one file name that is not there, and patterns that cannot be compiled."""
    lines = _Lines(path)
    for place, entry in enumerate(file.concepts):
        line = partial(lines.of, "concepts", place)
        for name in (*entry.needs, *entry.not_, *entry.never_beside):
            if name not in lists:
                yield ContentError(
                    path, f"{entry.concept} needs or refuses {name!r}, and no list has this name", line()
                )
        for name in entry.hides:
            if name not in concepts:
                yield ContentError(path, f"{entry.concept} hides {name!r}, and no concept has this name", line())
        if not entry.phrases and not entry.pattern:
            yield ContentError(path, f"{entry.concept}: an entry needs phrases or a pattern", line())
        if entry.pattern and not entry.pattern_words:
            yield ContentError(path, f"{entry.concept}: a pattern needs pattern-words, one of which it holds", line())
        yield from _word_faults(path, entry.concept, entry.phrases + entry.not_words + entry.needs_words, line)
        yield from _pattern_faults(path, entry.concept, entry.pattern, line)
    for place, listed in enumerate(file.lists):
        line = partial(lines.of, "lists", place)
        yield from _word_faults(path, listed.list_, listed.phrases, line)
        yield from _pattern_faults(path, listed.list_, listed.pattern, line)
    for place, modifier in enumerate(file.modifiers):
        line = partial(lines.of, "modifiers", place)
        yield from _word_faults(path, modifier.kind, modifier.phrases, line)
        for name in modifier.of:
            if name not in concepts:
                yield ContentError(path, f"{modifier.kind} is said of {name!r}, and no concept has this name", line())
    named = (("small-words", file.small_words, SMALL_WORDS), ("concept-kinds", file.concept_kinds, CONCEPT_KINDS))
    for section, kinds, known in named:
        for kind in kinds:
            if kind not in known:
                yield ContentError(path, f"{kind!r} is none of {', '.join(known)}", lines.of(section, kind))


def _word_faults(path: Path, name: str, phrases: list[str], line: Callable[[], int]) -> Iterator[ContentError]:
    for phrase in phrases:
        if not words_of(phrase):
            yield ContentError(path, f"{name}: a phrase without a word: {phrase!r}", line())


def _pattern_faults(path: Path, name: str, pattern: str | None, line: Callable[[], int]) -> Iterator[ContentError]:
    if pattern is None:
        return
    try:
        re.compile(pattern)
    except re.error as cause:
        yield ContentError(path, f"{name}: the pattern does not compile: {cause}", line())
    else:
        if _RUNAWAY.search(pattern):
            yield ContentError(path, f"{name}: a repeat within a repeat can take forever: give it a limit", line())


def _repeated(files: dict[Path, LexiconFile]) -> Iterator[ContentError]:
    """A phrase that stands twice for one concept, list or modifier under the same conditions."""
    seen: set[Any] = set()
    for path, file in files.items():
        lines = _Lines(path)
        entries: list[tuple[str, int, str, Any, list[str]]] = []
        for place, entry in enumerate(file.concepts):
            entries.append(
                ("concepts", place, entry.concept, (entry.language, entry.case, *entry.needs), entry.phrases)
            )
        for place, listed in enumerate(file.lists):
            entries.append(("lists", place, listed.list_, (listed.language, listed.case), listed.phrases))
        for place, modifier in enumerate(file.modifiers):
            where = (modifier.language, modifier.side, modifier.case, *modifier.of)
            entries.append(("modifiers", place, modifier.kind, where, modifier.phrases))
        for section, place, name, under, phrases in entries:
            for phrase in phrases:
                key = (section, name, under, words_of(phrase))
                if key in seen:
                    yield ContentError(path, f"{name}: {phrase!r} is listed twice", lines.of(section, place))
                seen.add(key)


class _Lines:
    """The lines of a file's entries."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _root(self) -> yaml.Node | None:
        return compose(read_text(self._path))

    def of(self, *steps: Step) -> int:
        """The line, from 1, of the deepest node that these steps lead to."""
        return line_of_node(self._root, steps)
