"""What the checks of the content must know of this topic: what fills its texts and phrases, the longest summaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from cards.content.phrases import Phrases as AnyPhrases
from cards.content.placeholders import BARE, Filled, needs
from cards.content.rules import ContentRules, Step
from cards.content.texts import fill_plain
from cards.topics.lumbar_puncture.card_writing.finding_words import summary_with
from cards.topics.lumbar_puncture.content import LumbarPunctureContent
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.topics.lumbar_puncture.settings import UNSPECIFIED, Phrases, Service
from cards.writing.wording import summary_naming

Item = TypeVar("Item")

_NUMBERS = Filled(offered=frozenset({"days", "expected_days", "late_onset_days", "chronic_days", "nerve_days"}))
_FINDINGS = needs("findings")
_CONFOUNDER_SUMMARIES = ("summary", "summary-serious", "summary-both")
_UNKNOWN_SUMMARIES = ("no-pain", "conditions-not-read", "onset", "puncture")
_PHRASES = {
    "name-with-level": "label level",
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


def content_rules(content: LumbarPunctureContent) -> ContentRules:
    """The rules of this topic."""
    service = content.service
    return ContentRules(
        texts=_what_fills(service),
        phrases=_PHRASES,
        phrase_keys={
            "levels": frozenset({*service.levels, *service.settings.levels}),
            "unknown": frozenset(why.value for why in WhyUnknown),
        },
        longest_summary=partial(_longest_summary, content),
        service_faults=tuple(_service_faults(service)),
    )


def _service_faults(service: Service) -> Iterator[tuple[str, tuple[Step, ...]]]:
    for place, level in enumerate(service.settings.levels):
        if level not in (*service.levels, UNSPECIFIED):
            yield f"no level is called {level!r}", ("settings", "levels", place)


def _what_fills(service: Service) -> Mapping[str, tuple[Filled, Mapping[str, Filled]]]:
    """For each text: what fills its body, and what fills each line of its head."""
    chart = "timeline contributors serious not_read"
    classes = {f"pain-class-{name}": (_NUMBERS, {"summary": _NUMBERS}) for name in service.after_puncture.classes}
    unknown = {f"summary-{why}": _NUMBERS for why in _UNKNOWN_SUMMARIES}
    specialties = service.after_puncture.referrals
    referral = {f"{part}-{name}": BARE for name in specialties for part in ("suggestion", "action")}
    return classes | {
        "pain-class-unknown": (_NUMBERS, unknown),
        "what-to-expect": (needs("not_read"), {"summary": BARE, "summary-not-checked": BARE}),
        "confounders": (needs("contributors serious not_read"), dict.fromkeys(_CONFOUNDER_SUMMARIES, _FINDINGS)),
        "pain-after-puncture": (needs(f"assessment unknown nerve {chart}"), {}),
        "nerve-symptoms": (needs(f"nerve {chart}"), {"summary": _NUMBERS, "summary-lasting": _NUMBERS}),
        "contributors": (_FINDINGS, {}),
        "nerve-irritation": (replace(_NUMBERS, needed=frozenset({"symptoms"})), {}),
        "red-flags": (needs("flags timeline serious not_read"), {"summary": _FINDINGS}),
        "patient-instruction": (BARE, {"suggestion": BARE, "action": BARE}),
        "referral": (BARE, {**referral, "reason": BARE}),
    }


def _longest_summary(content: LumbarPunctureContent, name: str, key: str, summary: str, phrases: AnyPhrases) -> str:
    """A summary with the names or numbers that make it longest."""
    content = replace(content, phrases=cast(Phrases, phrases))
    service = content.service
    if "{findings}" not in summary:
        return _with_longest_numbers(content, summary)
    if name == "red-flags":
        labels = sorted((flag.label for flag in service.red_flags), key=len, reverse=True)
        return max((summary_naming(summary, _led_by(label, labels), content) for label in labels), key=len, default="")
    levels = [level for level in service.settings.levels if level in (*content.phrases.levels, UNSPECIFIED)]
    kinds = [kind for kind in service.contributors if kind.serious == (key != "summary")]
    findings = [Finding(kind, level, ()) for kind in kinds for level in levels]
    findings.sort(key=lambda finding: len(summary_with("{findings}", [finding], content)), reverse=True)
    filled = (summary_with(summary, _led_by(finding, findings), content) for finding in findings)
    return max(filled, key=len, default="")


def _with_longest_numbers(content: LumbarPunctureContent, summary: str) -> str:
    settings, phrases = content.service.after_puncture, content.phrases.timeline
    most = settings.look_back_days + 365  # a date may be no more precise than a year
    between = fill_plain(phrases.days_between, {"least": str(most - 1), "most": str(most)})
    days = max(between, fill_plain(phrases.days, {"days": str(most)}), phrases.days_unknown, key=len)
    numbers = {
        "expected_days": settings.expected_days,
        "late_onset_days": settings.late_onset_days,
        "chronic_days": settings.chronic_days,
        "nerve_days": settings.nerve_symptom_warning_days,
    }
    return fill_plain(summary, {"days": days} | {name: str(number) for name, number in numbers.items()})


def _led_by(first: Item, others: Iterable[Item]) -> list[Item]:
    return [first, *(other for other in others if other != first)]
