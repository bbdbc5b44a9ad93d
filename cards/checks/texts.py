"""Texts and phrases: what the code fills in each, and the faults of evidence, heads, placeholders and summaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from cards.catalogue import Topic
from cards.checks.faults import Step, body_lines, citations, fault_at, load_words
from cards.content.files import ContentError
from cards.content.service import Phrases, Service
from cards.content.texts import Text, fill_plain, uncited_lines
from cards.record.chart_entry import Standing
from cards.topics.lumbar_puncture.decision.findings import UNSPECIFIED, Finding
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.writing.wording import LONGEST_SUMMARY, summary_naming, summary_with

Item = TypeVar("Item")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Filled:
    """What the code fills in: `needed` has to stand there, `offered` may."""

    needed: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()


def _needs(names: str) -> Filled:
    return Filled(frozenset(names.split()))


BARE = Filled()
_NUMBERS = Filled(offered=frozenset({"days", "expected_days", "late_onset_days", "chronic_days", "nerve_days"}))
_FINDINGS = _needs("findings")
_CONFOUNDER_SUMMARIES = ("summary", "summary-serious", "summary-both")
_UNKNOWN_SUMMARIES = ("no-pain", "conditions-not-read", "onset", "puncture")

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


def what_fills(service: Service) -> dict[str, tuple[Filled, dict[str, Filled]]]:
    """For each text: what fills its body, and what fills each line of its head that the code asks for."""
    told = "timeline contributors serious not_read"
    classes = {f"pain-class-{name}": (_NUMBERS, {"summary": _NUMBERS}) for name in service.after_puncture.classes}
    unknown = {f"summary-{why}": _NUMBERS for why in _UNKNOWN_SUMMARIES}
    specialties = service.after_puncture.referrals
    referral = {f"{part}-{name}": BARE for name in specialties for part in ("suggestion", "action")}
    return classes | {
        "pain-class-unknown": (_NUMBERS, unknown),
        "what-to-expect": (_needs("not_read"), {"summary": BARE, "summary-not-checked": BARE}),
        "confounders": (_needs("contributors serious not_read"), dict.fromkeys(_CONFOUNDER_SUMMARIES, _FINDINGS)),
        "pain-after-puncture": (_needs(f"assessment unknown nerve {told}"), {}),
        "nerve-symptoms": (_needs(f"nerve {told}"), {"summary": _NUMBERS, "summary-lasting": _NUMBERS}),
        "contributors": (_FINDINGS, {}),
        "nerve-irritation": (replace(_NUMBERS, needed=frozenset({"symptoms"})), {}),
        "red-flags": (_needs("flags timeline serious not_read"), {"summary": _FINDINGS}),
        "patient-instruction": (BARE, {"suggestion": BARE, "action": BARE}),
        "referral": (BARE, {**referral, "reason": BARE}),
    }


def find_card_faults(topic: Topic, texts: Mapping[str, Text], path: Path) -> list[str]:
    """Every fault of the phrases at `path` and of the texts in the same language, as far as they could be loaded."""
    faults: list[str] = []
    phrases = load_words(faults, path, Phrases)
    misfilled = [*find_placeholder_faults(path, phrases, WHAT_FILLS_PHRASES)] if phrases else []
    faults += [*misfilled, *(_missing_words(path, phrases, topic.service) if phrases else ())]
    table = what_fills(topic.service)
    for name, text in texts.items():
        body, heads = table.get(name, (BARE, {}))
        faults += [*find_text_faults(text, body, topic.service, by_sentence=True), *_head_faults(text, heads)]
        if phrases and not misfilled:
            faults += _summary_faults(name, text, heads, replace(topic, phrases=phrases))
    return faults


def find_text_faults(text: Text, filled: Filled, service: Service, *, by_sentence: bool) -> Iterator[str]:
    """`by_sentence`: in a card every sentence cites; a patient should not stumble over a number at every full stop."""
    path = text.path
    for line in uncited_lines(text, by_sentence=by_sentence):
        yield str(ContentError(path, "no evidence; end it with [key]", line))
    for line, key in citations(text):
        if key not in service.evidence:
            yield str(ContentError(path, f"cites {key!r}, which service.yaml does not have", line))
    found = [(line, name) for line, words in body_lines(text) for name in _PLACEHOLDER.findall(words)]
    for line, name in found:
        if name not in filled.needed | filled.offered:
            yield str(ContentError(path, f"nothing fills {{{name}}}", line))
    for name in sorted(filled.needed - {name for _, name in found}):
        yield str(ContentError(path, f"the card needs {{{name}}}, which stands nowhere", text.first_line))


def find_missing_heads(text: Text, keys: Iterable[str]) -> Iterator[str]:
    """The lines that the head of a text has to have and has not."""
    for key in keys:
        if not text.head.get(key):
            yield fault_at(text.path, f"the head has no {key}", key)


def find_placeholder_faults(path: Path, words: msgspec.Struct, table: Mapping[str, str]) -> Iterator[str]:
    """Every line of a file of words holds exactly the placeholders that the code fills."""
    for key, value in msgspec.to_builtins(words).items():
        lines = {(key, inner): line for inner, line in value.items()} if isinstance(value, dict) else {(key,): value}
        for way, line in lines.items():
            yield from _misfilled(path, ".".join(way), line, _needs(table.get(".".join(way), "")), way)


def _head_faults(text: Text, heads: Mapping[str, Filled]) -> Iterator[str]:
    yield from find_missing_heads(text, heads)
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
        filled = heads.get(key, BARE)
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
    kinds = [kind for kind in service.contributors if kind.serious == (key != "summary")]
    findings = [Finding(kind, level, ()) for kind in kinds for level in levels]
    findings.sort(key=lambda one: len(summary_with("{findings}", [one], topic)), reverse=True)
    return max((summary_with(summary, _led_by(one, findings), topic) for one in findings), key=len, default="")


def _led_by(one: Item, others: Iterable[Item]) -> list[Item]:
    return [one, *(other for other in others if other != one)]
