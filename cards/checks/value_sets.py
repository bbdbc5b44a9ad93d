"""Faults of the value sets: files that cannot be read, repeated or contradictory codes, no use, no known origin."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cards.checks.faults import fault_at, load_or_report, with_line
from cards.checks.lexicon import load_words_or_report
from cards.content.files import ContentError, read_text
from cards.content.rules import Step
from cards.terminology.code_system import CodeSystem
from cards.terminology.code_systems import find_code_system
from cards.terminology.value_set import ValueSet, load_value_set
from cards.topic import Topic
from cards.words.lexicon_files import LexiconContent
from cards.words.word_rules import TITLES

Code = tuple[CodeSystem | None, str]
Files = Mapping[Path, dict[str, Any]]

_COMMENT = "http://hl7.org/fhir/StructureDefinition/valueset-concept-comments"
_ORIGIN = re.compile(r"(?:UN)?VERIFIED: \S.*")


def find_value_set_faults(topics: Collection[Topic]) -> list[str]:
    """Every fault of the value sets and their words, one line each; a file that cannot be loaded hides no other."""
    faults: list[str] = []
    files: dict[Path, Any] = {}
    sets: dict[Path, ValueSet] = {}
    for path in _value_set_paths(topics):
        if loaded := load_or_report(faults, path, load_value_set):
            sets[path] = loaded
            files[path] = json.loads(read_text(path))
    for folder in _folders(topics):
        faults += _unused(topics, folder)
    words = load_words_or_report(faults, topics)
    faults += _wordless(words.values(), files)
    faults += [*_missing(topics), *_repeated(files), *_unlisted(topics, words, sets)]
    for topic in topics:
        faults += _contradictory(topic, files)
    faults += _undescribed(files)
    is_whole = all(topic.files.value_set(name) in files for topic in topics for name in topic.service.value_sets())
    # where a file is missing, the origin of a code may stand in that file
    return [*faults, *(_without_origin(files) if is_whole else ())]


def find_invalid_value_sets(topics: Iterable[Topic]) -> list[str]:
    """The value sets that are not valid FHIR R4, with the reason. Slow: it loads fhir.resources."""
    from fhir.resources.R4B.valueset import ValueSet
    from pydantic import ValidationError

    faults = []
    for path in _value_set_paths(topics):
        try:
            ValueSet.model_validate(json.loads(read_text(path)))
        except ValidationError as cause:
            faults += [fault_at(path, f"{error['loc'][-1]}: {error['msg']}", *error["loc"]) for error in cause.errors()]
        except ContentError as fault:
            faults.append(with_line(fault, path))
        except json.JSONDecodeError as cause:
            faults.append(str(ContentError(path, cause.msg, cause.lineno)))
    return faults


def _codes(file: Mapping[str, Any]) -> Iterator[tuple[Code, tuple[Step, ...]]]:
    """Every code of a file, families by their root, with the way to it."""
    for place, include in enumerate(file.get("compose", {}).get("include", [])):
        system = find_code_system(include["system"])
        for kind, key in (("concept", "code"), ("filter", "value")):
            for number, item in enumerate(include.get(kind, [])):
                code = system.normalize(item[key]) if system else item[key]
                yield (system, code), ("compose", "include", place, kind, number, key)


def _unlisted(
    topics: Collection[Topic], words: Mapping[tuple[Path, ...], LexiconContent], sets: Mapping[Path, ValueSet]
) -> Iterator[str]:
    """Codes that need words of a list that the lexicon does not hold, and lists that no code needs."""
    for folders, content in words.items():
        lists = dict(content.beside_codes)
        needed = {TITLES}
        for file, value_set in sets.items():
            for (_, code), rule in sorted(value_set.needs_words.items(), key=lambda item: item[0][1]):
                needed.update(rule.needs, rule.unless)
                for name in sorted({*rule.needs, *rule.unless} - lists.keys()):
                    yield fault_at(file, f"{code} needs words of {name!r}, and there is no such list", "compose")
        if set(_value_set_paths(topics)) == sets.keys():
            path = folders[0] / "code-words.yaml"
            spare = sorted(lists.keys() - needed)
            yield from (fault_at(path, f"no code needs the list {name!r}", "beside-codes", name) for name in spare)


def _folders(topics: Iterable[Topic]) -> list[Path]:
    """Every folder with value sets: what topics share first, then those of single topics."""
    shared = [topic.files.shared_value_sets for topic in topics]
    own = [topic.files.own_value_sets for topic in topics if topic.files.own_value_sets.is_dir()]
    return list(dict.fromkeys([*shared, *own]))


def _value_set_paths(topics: Iterable[Topic]) -> list[Path]:
    return [path for folder in _folders(list(topics)) for path in sorted(folder.glob("*.json"))]


def _wordless(words: Iterable[LexiconContent], files: Files) -> Iterator[str]:
    """Sets that nothing can belong to."""
    for content in words:
        names = content.concept_names
        for value_set, file in files.items():
            if not any(_codes(file)) and value_set.stem not in names:
                yield fault_at(value_set, "neither codes nor, in the lexicon, words: nothing can belong to it")


def _unused(topics: Collection[Topic], folder: Path) -> Iterator[str]:
    """Value sets of a folder that no topic uses; of the shared folder only where every topic beside it is loaded."""
    beside = {path.parent for path in folder.parent.glob("topics/*/service.yaml")}
    if beside <= {topic.files.folder for topic in topics}:
        used = {topic.files.value_set(name) for topic in topics for name in topic.service.value_sets()}
        for path in sorted(folder.glob("*.json")):
            if path not in used:
                yield fault_at(path, "no service.yaml uses this value set")


def _missing(topics: Iterable[Topic]) -> Iterator[str]:
    for topic in topics:
        for path in sorted(topic.files.value_set(name) for name in topic.service.value_sets()):
            if not path.exists():
                yield fault_at(path, "service.yaml uses it, and the file is missing")


def _repeated(files: Files) -> Iterator[str]:
    for path, file in files.items():
        seen: set[Code] = set()
        for code, way in _codes(file):
            if code in seen:
                yield fault_at(path, f"{code[1]} is listed twice", *way)
            seen.add(code)


def _contradictory(topic: Topic, files: Files) -> Iterator[str]:
    """Codes in two sets of which the topic says that they must not share one."""
    codes: dict[str, tuple[Path, dict[Code, tuple[Step, ...]]]] = {}
    for name in topic.service.value_sets():
        path = topic.files.value_set(name)
        if path in files:
            codes[name] = (path, dict(_codes(files[path])))
    for pair in topic.service.exclusive():
        if pair.value_set in codes and pair.other in codes:
            path, ours = codes[pair.value_set]
            for code, way in ours.items():
                if code in codes[pair.other][1]:
                    yield fault_at(path, f"{code[1]} stands in {pair.other}.json, too; {pair.why}", *way)


def _undescribed(files: Files) -> Iterator[str]:
    for path, file in files.items():
        for key in ("description", "copyright", "date", "version"):
            if not str(file.get(key, "")).strip():
                yield fault_at(path, f"the value set has no {key}", key)


def _without_origin(files: Files) -> Iterator[str]:
    """Listed codes of which no file says where they were seen; the level sets repeat codes of others without it."""
    with_origin = {code for file in files.values() for code, way in _codes(file) if _has_origin(file, way)}
    for path, file in files.items():
        for code, way in _codes(file):
            if "concept" in way and code not in with_origin:
                what = f"{code[1]} has no comment that says VERIFIED or UNVERIFIED, and by what"
                yield fault_at(path, what, *way)


def _has_origin(file: Mapping[str, Any], way: tuple[Step, ...]) -> bool:
    node: Any = file
    for step in way[:-1]:
        node = node[step]
    comments = (note.get("valueString", "") for note in node.get("extension", []) if note.get("url") == _COMMENT)
    return any(_ORIGIN.fullmatch(comment) for comment in comments)
