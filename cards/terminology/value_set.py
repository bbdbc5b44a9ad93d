"""Value sets: FHIR R4 ValueSet files in, membership by system and code (or guarded words) out.

What we read of a ValueSet (https://hl7.org/fhir/R4/valueset.html): `compose.include` and `compose.exclude` with listed
concepts, or with the one filter `concept is-a X` in a code system whose codes are families by prefix. Anything else is
refused at load, not guessed at. The longest number decides: a family excluded within one that is included is out. A
code that needs words carries the extension WORDS. A set without `compose` lives by its words alone. A site adds its own
codes to a set by a file of the same name (docs/site-codes.md); only there may a code system be one we do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cards.content.files import ContentError, line_of, read_text
from cards.terminology.code_system import CodeSystem, InvalidCode
from cards.terminology.code_systems import find_code_system, local_code_system
from cards.words.word_rules import WordRule

WORDS = "urn:lumbar-puncture-back-pain:counts-with-words"


class _Concept(msgspec.Struct):
    code: str
    display: str | None = None
    extension: list[dict[str, Any]] = []


class _Filter(msgspec.Struct):
    property: str
    op: str
    value: str
    extension: list[dict[str, Any]] = []


class _Include(msgspec.Struct):
    system: str
    concept: list[_Concept] = []
    filter: list[_Filter] = []
    value_set: list[str] = msgspec.field(name="valueSet", default=[])


class _Compose(msgspec.Struct, frozen=True):
    include: list[_Include] = []
    exclude: list[_Include] = []


class _ValueSetFile(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str
    version: str
    title: str
    date: str
    compose: _Compose = _Compose()


Codes = Mapping[CodeSystem, frozenset[str]]
SystemCode = tuple[CodeSystem, str]


@dataclass(frozen=True)
class ValueSet:
    """One value set: its members by code system, normalized; `families` match by prefix, `excluded` are out of them.

    `needs_words`: members, codes or families, that say too little by themselves.
    """

    id: str
    version: str
    title: str
    codes: Codes
    families: Codes = field(default_factory=dict)
    excluded: Codes = field(default_factory=dict)
    needs_words: Mapping[SystemCode, WordRule] = field(default_factory=dict)


def load_value_set(path: Path, *, local: bool = False) -> ValueSet:
    """Read one ValueSet file; `local`: a site's own, whose code systems may be unknown to us. Raises ContentError."""
    text = read_text(path)
    try:
        file = msgspec.json.decode(text, type=_ValueSetFile)
    except msgspec.DecodeError as cause:
        raise ContentError(path, str(cause)) from None
    if file.resource_type != "ValueSet" or file.id != path.stem:
        raise ContentError(path, "resourceType must be ValueSet, and id the name of the file", 1)
    both = (*file.compose.include, *file.compose.exclude)
    if any(include.value_set for include in both):
        raise ContentError(path, "include.valueSet is not read: list codes", line_of(text, '"compose"'))
    if local and not file.compose.include:
        raise ContentError(path, "compose.include has no codes: list them there", 1)
    codes, families, needs_words = _read_codes(file.compose.include, path, text, local=local)
    no_codes, no_families, _ = _read_codes(file.compose.exclude, path, text, local=local)
    return ValueSet(file.id, file.version, file.title, codes, families, _merged(no_codes, no_families), needs_words)


def _read_codes(
    includes: Iterable[_Include], path: Path, text: str, *, local: bool
) -> tuple[Codes, Codes, dict[SystemCode, WordRule]]:
    """Listed codes, families, and which of both need words. Raises ContentError."""
    codes: dict[CodeSystem, set[str]] = {}
    families: dict[CodeSystem, set[str]] = {}
    rules: dict[SystemCode, WordRule] = {}
    for include in includes:
        system = find_code_system(include.system) or (local_code_system(include.system) if local else None)
        if system is None or not include.concept + include.filter:
            what = f"an include needs a known code system and codes: {include.system}"
            raise ContentError(path, what, line_of(text, include.system))
        for only in include.filter:
            if not system.by_prefix or (only.property, only.op) != ("concept", "is-a") or len(include.filter) > 1:
                what = f"only one filter `concept is-a`, only in a code system of families: {only.value}"
                raise ContentError(path, what, line_of(text, f'"{only.value}"'))
        members = [(concept.code, concept.extension, codes) for concept in include.concept]
        members += [(only.value, only.extension, families) for only in include.filter]
        for code, extensions, kind in members:
            try:
                system.validate(code)
                rule = _word_rule(extensions)
            except (InvalidCode, msgspec.ValidationError) as cause:
                raise ContentError(path, f"{code}: {cause}", line_of(text, f'"{code}"')) from None
            kind.setdefault(system, set()).add(system.normalize(code))
            if rule:
                rules[system, system.normalize(code)] = rule
    return _frozen(codes), _frozen(families), rules


def _word_rule(extensions: Iterable[Mapping[str, Any]]) -> WordRule | None:
    """What the extension WORDS of a code says. Raises msgspec.ValidationError where it says something else."""
    for extension in extensions:
        if extension.get("url") == WORDS:
            said: dict[str, list[str]] = {"needs": [], "unless": [], "otherwise": []}
            for part in extension.get("extension", ()):
                if part.get("url") not in said:
                    raise msgspec.ValidationError(f"{part.get('url')!r} is none of needs, unless, otherwise")
                said[part["url"]].append(part.get("valueCode"))
            raw = {"needs": said["needs"], "unless": said["unless"], "otherwise": (said["otherwise"] or ["none"])[0]}
            return msgspec.convert(raw, WordRule)
    return None


def _frozen(codes: Mapping[CodeSystem, Iterable[str]]) -> Codes:
    return {system: frozenset(members) for system, members in codes.items()}


def _merged(first: Codes, second: Codes) -> Codes:
    systems = {*first, *second}
    return {system: first.get(system, frozenset()) | second.get(system, frozenset()) for system in systems}


def with_local_codes(ours: ValueSet, local: ValueSet) -> ValueSet:
    """A value set of ours and a site's own codes for it, as one; the version names both."""
    return ValueSet(
        ours.id,
        f"{ours.version}+{local.version}",
        ours.title,
        _merged(ours.codes, local.codes),
        _merged(ours.families, local.families),
        _merged(ours.excluded, local.excluded),
        {**ours.needs_words, **local.needs_words},
    )
