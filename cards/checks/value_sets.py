"""Faults of the value sets: what cannot be read, stands twice, contradicts itself, has no use or no known origin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from cards.catalogue import VALUE_SETS, chart_value_sets, order_value_sets
from cards.checks.faults import Step, fault_at, load_or_tell, with_line
from cards.content.files import ContentError, parse_yaml, read_text
from cards.content.service import Service
from cards.terminology.code_systems import CodeSystem, find_code_system
from cards.terminology.text_terms import TermsFile
from cards.terminology.value_set import load_value_set

Code = tuple[CodeSystem | None, str]
Files = Mapping[Path, dict[str, Any]]

_COMMENT = "http://hl7.org/fhir/StructureDefinition/valueset-concept-comments"
_ORIGIN = re.compile(r"(?:UN)?VERIFIED: \S.*")


def find_value_set_faults(service: Service, folder: Path = VALUE_SETS) -> list[str]:
    """Every fault of the value sets and their words, one line each; a file that cannot be loaded hides no other."""
    faults: list[str] = []
    files: dict[Path, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        if load_or_tell(faults, path, load_value_set):
            files[path] = json.loads(read_text(path))
    faults += [*_wordless(files, folder), *_misused(service, folder), *_twofold(files)]
    faults += [*_contradictory(service, files), *_vague(files)]
    is_whole = {path.stem for path in files} >= _used(service)  # else the origin of a code may stand in what is missing
    return [*faults, *(_unseen(files) if is_whole else ())]


def find_invalid_value_sets(folder: Path = VALUE_SETS) -> list[str]:
    """The value sets that are not valid FHIR R4, with the reason. Slow: it loads fhir.resources."""
    from fhir.resources.R4B.valueset import ValueSet
    from pydantic import ValidationError

    faults = []
    for path in sorted(folder.glob("*.json")):
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
            for number, one in enumerate(include.get(kind, [])):
                code = system.normalise(one[key]) if system else one[key]
                yield (system, code), ("compose", "include", place, kind, number, key)


def _wordless(files: Files, folder: Path) -> Iterator[str]:
    """Sets that nothing can belong to, and words of no set."""
    path = folder / "text_terms.yaml"
    try:
        terms = parse_yaml(path, read_text(path), TermsFile).terms
    except ContentError as fault:
        yield with_line(fault, path)
        return
    for one, file in files.items():
        words = terms.get(one.stem)
        if not any(_codes(file)) and not (words and words.en + words.es + words.patterns):
            yield fault_at(one, "neither codes nor, in text_terms.yaml, words: nothing can belong to it")
    for name in terms:
        if not (folder / f"{name}.json").exists():
            yield fault_at(path, f"there is no value set {name!r}", "terms", name)


def _used(service: Service) -> set[str]:
    kinds = (kind.value_set for kind in service.contributors)  # those that are switched off, too
    return {*order_value_sets(service), *chart_value_sets(service), *service.levels.values(), *kinds}


def _misused(service: Service, folder: Path) -> Iterator[str]:
    used = _used(service)
    there = {path.stem: path for path in folder.glob("*.json")}
    what = "no order, contributor, level, symptom, red flag or referral of service.yaml uses this value set"
    yield from (fault_at(there[name], what) for name in sorted(there.keys() - used))
    missing = sorted(used - there.keys())
    yield from (fault_at(folder / f"{name}.json", "service.yaml uses it, and the file is missing") for name in missing)


def _twofold(files: Files) -> Iterator[str]:
    for path, file in files.items():
        seen: set[Code] = set()
        for code, way in _codes(file):
            if code in seen:
                yield fault_at(path, f"{code[1]} stands here a second time", *way)
            seen.add(code)


def _contradictory(service: Service, files: Files) -> Iterator[str]:
    """Codes in two sets that cannot both hold: an order and its near misses, two red flags.

    Contributors may share a code: an entry that fits several is told under the first.
    """
    codes = {path.stem: (path, dict(_codes(file))) for path, file in files.items()}
    near_miss, reasons = service.orders.near_miss, service.orders.work_up_reasons
    orders = [name for name in dict.fromkeys(order_value_sets(service)) if name not in (near_miss, *reasons)]
    flags = [flag.value_set for flag in service.red_flags]
    pairs = [(near_miss, name, "no order can be both") for name in orders]
    pairs += [(later, flag, "give it to one of these red flags") for flag, later in combinations(flags, 2)]
    for name, other, why in pairs:
        if name in codes and other in codes:
            path, ours = codes[name]
            for code, way in ours.items():
                if code in codes[other][1]:
                    yield fault_at(path, f"{code[1]} stands in {other}.json, too; {why}", *way)


def _vague(files: Files) -> Iterator[str]:
    for path, file in files.items():
        for key in ("description", "copyright", "date", "version"):
            if not str(file.get(key, "")).strip():
                yield fault_at(path, f"the value set has no {key}", key)


def _unseen(files: Files) -> Iterator[str]:
    """Listed codes of which no file says where they were seen; the level sets repeat codes of others without it."""
    told = {code for file in files.values() for code, way in _codes(file) if _has_origin(file, way)}
    for path, file in files.items():
        for code, way in _codes(file):
            if "concept" in way and code not in told:
                what = f"{code[1]} has no comment that says VERIFIED or UNVERIFIED, and by what"
                yield fault_at(path, what, *way)


def _has_origin(file: Mapping[str, Any], way: tuple[Step, ...]) -> bool:
    one: Any = file
    for step in way[:-1]:
        one = one[step]
    comments = (note.get("valueString", "") for note in one.get("extension", []) if note.get("url") == _COMMENT)
    return any(_ORIGIN.fullmatch(comment) for comment in comments)
