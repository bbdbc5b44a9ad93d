"""What loading does not refuse but nobody should serve. Every fault is one line, `file:line: what is wrong`.

Texts and phrases: evidence, placeholders, lines of the head, summaries that grow too long. Patient pages: translations,
heads, how hard they are to read. Dates of review. The value sets have a module of their own, value_set_check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import msgspec

from cards.catalogue import LUMBAR_PUNCTURE, PATIENT_PAGES, VALUE_SETS, Topic, page_names, text_names
from cards.chart_entry import Standing
from cards.content import ContentError, parse_yaml, read_text
from cards.findings import UNSPECIFIED, Finding
from cards.reading_grade import find_hard_reading
from cards.service import PageWords, Phrases, Service
from cards.texts import Text, fill_plain, load_text, uncited_lines
from cards.thresholds import boundary_settings
from cards.topics.lumbar_puncture.pain import WhyUnknown
from cards.value_set_check import Step, fault_at, find_invalid_value_sets, find_value_set_faults, with_line
from cards.wording import LONGEST_SUMMARY, summary_naming, summary_with

Shape = TypeVar("Shape")
Item = TypeVar("Item")

_LEGAL_TOKENS = frozenset({"context.userId", "context.patientId", "context.encounterId"})
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_CITATION = re.compile(r"\[([a-z0-9-]+)\](?!\()")
_PAGE_HEAD = ("title", "reviewed-on", "language", "status")


@dataclass(frozen=True)
class Filled:
    """What the code fills in: `needed` has to stand there, `offered` may."""

    needed: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()


def _needs(names: str) -> Filled:
    return Filled(frozenset(names.split()))


_BARE = Filled()
_NUMBERS = Filled(offered=frozenset({"days", "expected_days", "late_onset_days", "chronic_days", "nerve_days"}))
_FINDINGS = _needs("findings")
_UNKNOWN_SUMMARIES = ("no-pain", "no-pain-in-part", "conditions-not-read", "onset", "puncture")

# What fills each phrase; a phrase that is not listed takes nothing.
WHAT_FILLS_PHRASES = {
    "more": "names count",
    "and": "names last",
    "since": "date",
    "performed": "date",
    "recorded-on": "date",
    "entered": "date",
    "finding": "name facts words provenance",
    "name-with-level": "label level",
    "words": "words",
    "by-code": "system code",
    "from": "resource value_set version",
    "further-entries": "resources",
    "without-id": "type",
    "in-summary": "findings",
    "timeline.puncture": "date ago resource",
    "timeline.puncture-unfinished": "date ago resource",
    "timeline.complaint": "words facts resource",
    "timeline.today": "date",
    "timeline.days": "days",
    "timeline.days-between": "least most",
    "timeline.ago": "days",
    "timeline.before": "days",
    "timeline.after": "days",
    "unknown.onset-imprecise": "onset",
    "unknown.puncture-imprecise": "puncture",
    "conditions.unread": "count total",
    "procedures.unread": "count total",
}
_PAGE_WORDS = {"reviewed": "owner date"}


def what_fills(service: Service) -> dict[str, tuple[Filled, dict[str, Filled]]]:
    """For each text: what fills its body, and what fills each line of its head that the code asks for."""
    told = "timeline contributors serious not_read"
    classes = {f"pain-class-{name}": (_NUMBERS, {"summary": _NUMBERS}) for name in service.after_puncture.classes}
    unknown = {f"summary-{why}": _NUMBERS for why in _UNKNOWN_SUMMARIES}
    specialties = service.after_puncture.referrals
    referral = {f"{part}-{name}": _BARE for name in specialties for part in ("suggestion", "action")}
    return classes | {
        "pain-class-unknown": (_NUMBERS, unknown),
        "what-to-expect": (_needs("not_read"), {"summary": _BARE, "summary-not-checked": _BARE}),
        "confounders": (
            _needs("contributors serious not_read"),
            {"summary": _FINDINGS, "summary-serious": _FINDINGS},
        ),
        "pain-after-puncture": (_needs(f"assessment unknown nerve {told}"), {}),
        "nerve-symptoms": (_needs(f"nerve {told}"), {"summary": _NUMBERS, "summary-lasting": _NUMBERS}),
        "contributors": (_FINDINGS, {}),
        "nerve-irritation": (replace(_NUMBERS, needed=frozenset({"symptoms"})), {}),
        "red-flags": (_needs("flags timeline serious not_read"), {"summary": _FINDINGS}),
        "patient-instruction": (_BARE, {"suggestion": _BARE, "action": _BARE}),
        "referral": (_BARE, {**referral, "reason": _BARE}),
    }


def find_faults(
    topic: Topic,
    today: date,
    folder: Path = LUMBAR_PUNCTURE,
    value_sets: Path = VALUE_SETS,
    patient_pages: Path = PATIENT_PAGES,
) -> list[str]:
    """Every fault that is found quickly, but not what is due for review, for which there is `find_stale`."""
    service, settings = topic.service, folder / "service.yaml"
    faults: list[str] = []
    spoken: list[Text] = []
    for language in service.languages:
        texts = _load(faults, folder / "text", text_names(service), language)
        path = folder / "text" / f"phrases.{language}.yaml"
        phrases = _read(faults, path, Phrases)
        misfilled = [*_placeholder_faults(path, phrases, WHAT_FILLS_PHRASES)] if phrases else []
        faults += [*misfilled, *(_missing_words(path, phrases, service) if phrases else ())]
        for name, text in texts.items():
            body, heads = what_fills(service).get(name, (_BARE, {}))
            faults += [*_text_faults(text, body, service, by_sentence=True), *_head_faults(text, heads)]
            if phrases and not misfilled:
                faults += _summary_faults(name, text, heads, replace(topic, phrases=phrases))
        spoken += texts.values()
    originals: dict[str, Text] = {}
    for language in service.patient_languages:
        path = patient_pages / f"words.{language}.yaml"
        words = _read(faults, path, PageWords)
        faults += _placeholder_faults(path, words, _PAGE_WORDS) if words else ()
        for name, page in _load(faults, patient_pages, page_names(service), language).items():
            faults += [*_text_faults(page, _BARE, service, by_sentence=False), *_page_head_faults(page, language)]
            faults += [*_unlike(page, originals.setdefault(name, page)), *find_hard_reading(page, language)]
            spoken.append(page)
    faults += _unused_evidence(service, spoken, settings)
    faults += [*_setting_faults(service, settings), *find_value_set_faults(service, value_sets)]
    future = (one for one in _reviews(service, settings, patient_pages) if one[1] > today)
    return faults + [fault_at(path, f"{_dotted(way)} {day} is in the future", *way) for path, day, way in future]


def find_slow_faults(value_sets: Path = VALUE_SETS) -> list[str]:
    """What takes too long for a start: whether the value sets are valid FHIR R4."""
    return find_invalid_value_sets(value_sets)


def find_stale(
    topic: Topic, today: date, folder: Path = LUMBAR_PUNCTURE, patient_pages: Path = PATIENT_PAGES
) -> list[str]:
    """What nobody has looked at for longer than review-every-days: the service, a page, a source, a link."""
    most = topic.service.review_every_days
    return [
        fault_at(path, f"{_dotted(way)} {day} is more than {most} days ago: review it and set the date", *way)
        for path, day, way in _reviews(topic.service, folder / "service.yaml", patient_pages)
        if (today - day).days > most
    ]


def find_missing_boundaries(topic: Topic, marked: Mapping[str, set[int]], folder: Path = LUMBAR_PUNCTURE) -> list[str]:
    """The numbers that no vignette holds in place. `marked`: by setting, which of +1 and -1 some vignette notices."""
    settings, numbers = folder / "service.yaml", boundary_settings(topic.service)
    faults = []
    for path in numbers:
        for delta in sorted({1, -1} - marked.get(path, set()), reverse=True):
            what = f"no vignette would notice if {path} were {numbers[path] + delta} and not {numbers[path]}"
            faults.append(fault_at(settings, what, *_way_to(path, topic.service)))
    unknown = sorted(marked.keys() - numbers.keys())
    return faults + [
        fault_at(settings, f"vignettes mark {path!r}, which is no number that decides") for path in unknown
    ]


def _load(faults: list[str], folder: Path, names: Iterable[str], language: str) -> dict[str, Text]:
    """The texts of one language; what cannot be loaded is a fault."""
    texts = {}
    for name in names:
        path = folder / f"{name}.{language}.md"
        try:
            texts[name] = load_text(path)
        except ContentError as fault:
            faults.append(with_line(fault, path))
    return texts


def _read(faults: list[str], path: Path, shape: type[Shape]) -> Shape | None:
    try:
        return parse_yaml(path, read_text(path), shape)
    except ContentError as fault:
        faults.append(with_line(fault, path))
        return None


def _body(text: Text) -> list[tuple[int, str]]:
    lines = read_text(text.path).split("\n")
    return list(enumerate(lines, start=1))[text.first_line - 1 :]


def _cited(text: Text) -> list[tuple[int, str]]:
    """Every citation with its line, in the order of the text."""
    return [(line, key) for line, words in _body(text) for key in _CITATION.findall(words)]


def _text_faults(text: Text, filled: Filled, service: Service, *, by_sentence: bool) -> Iterator[str]:
    """`by_sentence`: in a card every sentence cites; a patient should not stumble over a number at every full stop."""
    path = text.path
    for line in uncited_lines(text, by_sentence=by_sentence):
        yield str(ContentError(path, "no evidence; end it with [key]", line))
    for line, key in _cited(text):
        if key not in service.evidence:
            yield str(ContentError(path, f"cites {key!r}, which service.yaml does not have", line))
    found = [(line, name) for line, words in _body(text) for name in _PLACEHOLDER.findall(words)]
    for line, name in found:
        if name not in filled.needed | filled.offered:
            yield str(ContentError(path, f"nothing fills {{{name}}}", line))
    for name in sorted(filled.needed - {name for _, name in found}):
        yield str(ContentError(path, f"the card needs {{{name}}}, which stands nowhere", text.first_line))


def _head_faults(text: Text, heads: Mapping[str, Filled]) -> Iterator[str]:
    for key in heads:
        if not text.head.get(key):
            yield fault_at(text.path, f"the head has no {key}", key)
    for key, line in text.head.items():
        if key not in heads:
            yield fault_at(text.path, f"nobody asks for {key}", key)
        else:
            yield from _misfilled(text.path, key, line, heads[key], (key,))


def _misfilled(path: Path, name: str, words: str, filled: Filled, way: tuple[Step, ...]) -> Iterator[str]:
    found = set(_PLACEHOLDER.findall(words))
    for one in sorted(found - filled.needed - filled.offered):
        yield fault_at(path, f"{name}: nothing fills {{{one}}}", *way)
    if words:
        for one in sorted(filled.needed - found):
            yield fault_at(path, f"{name} needs {{{one}}}, which stands nowhere", *way)


def _placeholder_faults(path: Path, words: msgspec.Struct, table: Mapping[str, str]) -> Iterator[str]:
    """Every line of a file of words holds exactly the placeholders that the code fills."""
    for key, value in msgspec.to_builtins(words).items():
        lines = {(key, inner): line for inner, line in value.items()} if isinstance(value, dict) else {(key,): value}
        for way, line in lines.items():
            yield from _misfilled(path, ".".join(way), line, _needs(table.get(".".join(way), "")), way)


def _missing_words(path: Path, phrases: Phrases, service: Service) -> Iterator[str]:
    """Words that the code looks up by a value of its own have to be there, and no others."""
    levels = {*service.levels, *service.settings.levels}
    looked_up: list[tuple[str, dict[str, str], set[str]]] = [
        ("standings", phrases.standings, {one.value for one in Standing}),
        ("levels", phrases.levels, levels),
        ("unknown", phrases.unknown, {one.value for one in WhyUnknown}),
    ]
    for key, told, values in looked_up:
        for value in sorted(values - told.keys()):
            yield fault_at(path, f"{key}: no words for {value!r}", key)
        for value in sorted(told.keys() - values):
            yield fault_at(path, f"{key}: nobody asks for {value!r}", key, value)


def _summary_faults(name: str, text: Text, heads: Mapping[str, Filled], topic: Topic) -> Iterator[str]:
    """Every summary stays under 140 characters (R-4.21), whatever a chart may hold; what may be added only if it fits
    (`with_findings`) is not counted.
    """
    for key, summary in text.head.items():
        filled = heads.get(key, _BARE)
        known = set(_PLACEHOLDER.findall(summary)) <= filled.needed | filled.offered
        if key.startswith("summary") and known:
            longest = _longest(name, key, summary, topic)
            if len(longest) > LONGEST_SUMMARY:
                what = f"{key} grows to {len(longest)} characters, more than {LONGEST_SUMMARY}: {longest}"
                yield fault_at(text.path, what, key)


def _longest(name: str, key: str, summary: str, topic: Topic) -> str:
    """A summary with the names or numbers that make it longest."""
    service, settings = topic.service, topic.service.after_puncture
    if "{findings}" not in summary:
        phrases, most = topic.phrases.timeline, settings.look_back_days + 365  # a date may be no more than a year
        between = fill_plain(phrases.days_between, {"least": str(most - 1), "most": str(most)})
        days = max(between, fill_plain(phrases.days, {"days": str(most)}), phrases.days_unknown, key=len)
        numbers = [settings.expected_days, settings.late_onset_days, settings.chronic_days]
        numbers.append(settings.nerve_symptom_warning_days)
        names = ("expected_days", "late_onset_days", "chronic_days", "nerve_days")
        return fill_plain(summary, {"days": days} | dict(zip(names, map(str, numbers), strict=True)))
    if name == "red-flags":
        labels = sorted((flag.label for flag in service.red_flags), key=len, reverse=True)
        return max((summary_naming(summary, _led_by(one, labels), topic) for one in labels), key=len, default="")
    levels = [level for level in service.settings.levels if level in (*topic.phrases.levels, UNSPECIFIED)]
    kinds = [kind for kind in service.contributors if kind.serious == (key == "summary-serious")]
    findings = [Finding(kind, level, ()) for kind in kinds for level in levels]
    findings.sort(key=lambda one: len(summary_with("{findings}", [one], topic)), reverse=True)
    return max((summary_with(summary, _led_by(one, findings), topic) for one in findings), key=len, default="")


def _led_by(one: Item, others: Iterable[Item]) -> list[Item]:
    return [one, *(other for other in others if other != one)]


def _page_head_faults(page: Text, language: str) -> Iterator[str]:
    head, path = page.head, page.path
    draft = head.get("status") == "draft"
    for key in (*_PAGE_HEAD, "draft-note") if draft else _PAGE_HEAD:
        if not head.get(key):
            yield fault_at(path, f"the head has no {key}", key)
    for key in head:
        if key not in (*_PAGE_HEAD, "draft-note"):
            yield fault_at(path, f"nobody asks for {key}", key)
    if head.get("status", "draft") not in ("approved", "draft"):
        yield fault_at(path, "status is approved or draft", "status")
    elif "draft-note" in head and not draft:
        yield fault_at(path, "an approved page is shown as a draft", "draft-note")
    if head.get("language", language) != language:
        yield fault_at(path, f"the name of the file says {language!r}", "language")
    if head.get("reviewed-on") and _day(page) is None:
        yield fault_at(path, "reviewed-on is no date such as 2026-11-22", "reviewed-on")


def _day(page: Text) -> date | None:
    try:
        return date.fromisoformat(page.head["reviewed-on"])
    except (KeyError, ValueError):
        return None


def _unlike(page: Text, original: Text) -> Iterator[str]:
    """Where a translation parts from the page in the first language: its headings, its evidence."""
    headings, there = ([line for line, words in _body(one) if words.startswith("#")] for one in (page, original))
    if len(headings) != len(there):
        what = f"{len(headings)} headings; {original.path.name} has {len(there)}"
        yield str(ContentError(page.path, what, headings[-1] if headings else page.first_line))
    nothing = (page.first_line, "nothing")
    for (line, key), (other_line, other) in zip_longest(_cited(page), _cited(original), fillvalue=nothing):
        if key != other:
            what = f"cites {key} where {original.path.name}:{other_line} cites {other}"
            yield str(ContentError(page.path, what, line))
            return


def _unused_evidence(service: Service, texts: Iterable[Text], settings: Path) -> Iterator[str]:
    cited = {service.source.evidence}.union(*(text.cited() for text in texts))
    for key in service.evidence:
        if key not in cited:
            yield fault_at(settings, f"nothing cites {key}", "evidence", key)


def _setting_faults(service: Service, settings: Path) -> Iterator[str]:
    for key, template in service.prefetch.items():
        for token in re.findall(r"\{\{(.*?)\}\}", template):
            if token not in _LEGAL_TOKENS:
                yield fault_at(settings, f"{{{{{token}}}}} is no first-level token (R-3.4)", "prefetch", key)
    for place, level in enumerate(service.settings.levels):
        if level not in (*service.levels, UNSPECIFIED):
            yield fault_at(settings, f"no level is called {level!r}", "settings", "levels", place)


def _reviews(service: Service, settings: Path, pages: Path) -> Iterator[tuple[Path, date, tuple[Step, ...]]]:
    """Every day on which somebody looked at something, with its file and the way to it."""
    yield settings, service.reviewed_on, ("reviewed-on",)
    yield from ((settings, one.checked_on, ("links", key, "checked-on")) for key, one in service.links.items())
    yield from ((settings, one.checked_on, ("evidence", key, "checked-on")) for key, one in service.evidence.items())
    for language in service.patient_languages:
        for page in _load([], pages, page_names(service), language).values():
            day = _day(page)
            if day:
                yield page.path, day, ("reviewed-on",)


def _way_to(path: str, service: Service) -> tuple[Step, ...]:
    """The way to one of `boundary_settings` in service.yaml."""
    part, *of_kind, key = path.split(".")
    kinds = {
        "red-flags": [flag.value_set for flag in service.red_flags],
        "contributors": [kind.value_set for kind in service.contributors],
    }
    return (part, *(kinds[part].index(kind) for kind in of_kind), key)


def _dotted(way: tuple[Step, ...]) -> str:
    return ".".join(map(str, way))
