"""What the checks of the content must know of this topic: what fills its texts and phrases, the longest cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import TypeVar, cast

from cards.content.phrases import Phrases as AnyPhrases
from cards.content.placeholders import BARE, Filled, needs
from cards.content.rules import ContentRules, Step
from cards.content.texts import fill
from cards.topics.lumbar_puncture.card_writing.finding_words import summary_with
from cards.topics.lumbar_puncture.content import LumbarPunctureContent
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.topics.lumbar_puncture.settings import NERVE_CLASSES, UNSPECIFIED, Phrases, Service
from cards.writing.wording import summary_naming

Item = TypeVar("Item")

_NUMBERS = Filled(offered=frozenset({"days", "late_onset_days", "chronic_days", "nerve_days", "escalator"}))
_FINDINGS = needs("findings")
_UNKNOWN_SUMMARIES = ("no-pain", "conditions-not-read", "onset", "puncture")
_PHRASES = {
    "name-with-level": "label level",
    "in-order": "name",
    "serious": "line",
    "no-date": "name",
    "days.several": "days",
    "days.between": "least most",
    "conditions.unread": "count",
    "procedures.unread": "count",
}


def content_rules(content: LumbarPunctureContent) -> ContentRules:
    """The rules of this topic."""
    service = content.service
    return ContentRules(
        texts=_what_fills(service),
        phrases=_PHRASES,
        phrase_keys={"levels": frozenset({*service.levels, *service.settings.levels})},
        longest_summary=partial(_longest_summary, content),
        details=tuple(_details(service)),
        service_faults=tuple(_service_faults(service)),
    )


def _service_faults(service: Service) -> Iterator[tuple[str, tuple[Step, ...]]]:
    for place, level in enumerate(service.settings.levels):
        if level not in (*service.levels, UNSPECIFIED):
            yield f"no level is called {level!r}", ("settings", "levels", place)


def _what_fills(service: Service) -> Mapping[str, tuple[Filled, Mapping[str, Filled]]]:
    """For each text: what fills its body, and what fills each line of its head."""
    classes = [f"pain-class-{name}" for name in service.after_puncture.classes]
    classes += [f"nerve-class-{name}" for name in NERVE_CLASSES]
    specialties = service.after_puncture.referrals
    referral = {f"{part}-{name}": BARE for name in specialties for part in ("suggestion", "action")}
    flagged = needs("findings days what")
    return {name: (BARE, {"summary": _NUMBERS}) for name in classes} | {
        "pain-class-unknown": (BARE, {f"summary-{why}": _NUMBERS for why in _UNKNOWN_SUMMARIES}),
        "what-to-expect": (BARE, {"summary": BARE, "summary-not-checked": BARE}),
        "bleeding-risk": (needs("risk"), {}),
        "confounders": (BARE, {"summary": _FINDINGS, "summary-serious": _FINDINGS, "summary-baseline": BARE}),
        "red-flags": (BARE, {"summary-critical": flagged, "summary-warning": flagged}),
        "patient-instruction": (BARE, {"suggestion": BARE, "action": BARE}),
        "stat": (BARE, {"suggestion": BARE, "action": BARE}),
        "referral": (BARE, {**referral, "reason": BARE}),
    }


def _details(service: Service) -> Iterator[tuple[str, ...]]:
    """The texts that stand on one card together, for each that can be the longest of its kind."""
    yield from (("what-to-expect",), ("confounders", "contributors"))
    yield from ((f"pain-class-{name}", "nerve-beside-pain") for name in service.after_puncture.classes)
    yield from ((f"nerve-class-{name}",) for name in NERVE_CLASSES)
    actions = service.red_flag_actions
    for count in range(1, len(actions) + 1):
        for together in combinations(actions, count):
            if not any(actions[name].part_of in together for name in together):
                for ask in ("red-flags", "red-flags-child"):
                    yield (*(f"red-flag-{name}" for name in together), ask)


def _longest_summary(content: LumbarPunctureContent, name: str, key: str, summary: str, phrases: AnyPhrases) -> str:
    """A summary with the names or numbers that make it longest."""
    content = replace(content, phrases=cast(Phrases, phrases))
    service = content.service
    if "{findings}" not in summary:
        return _with_longest_numbers(content, summary, "")
    if name == "red-flags":
        flags = sorted(service.red_flags, key=lambda flag: len(flag.label), reverse=True)
        labels = [flag.label for flag in flags]
        templates = ((_with_longest_numbers(content, summary, flag.suspect), flag.label) for flag in flags)
        return max((summary_naming(one, _led_by(label, labels), content) for one, label in templates), key=len)
    levels = [level for level in service.settings.levels if level in (*content.phrases.levels, UNSPECIFIED)]
    kinds = [kind for kind in service.contributors if kind.serious == (key != "summary")]
    findings = [Finding(kind, level, ()) for kind in kinds for level in levels]
    findings.sort(key=lambda finding: len(summary_with("{findings}", [finding], content)), reverse=True)
    filled = (summary_with(summary, _led_by(finding, findings), content) for finding in findings)
    return max(filled, key=len, default="")


def _with_longest_numbers(content: LumbarPunctureContent, summary: str, suspect: str) -> str:
    settings, phrases = content.service.after_puncture, content.phrases.days
    most = settings.look_back_days + 365  # a date may be no more precise than a year
    between = fill(phrases.between, {"least": str(most - 1), "most": str(most)})
    days = max(between, fill(phrases.several, {"days": str(most)}), phrases.unknown, key=len)
    escalators = content.service.escalators
    labels = [*(risk.label for risk in escalators.risks), *escalators.words.values(), escalators.priority_label]
    return fill(
        summary,
        {
            "findings": "{findings}",
            "what": suspect,
            "days": days,
            "escalator": max(labels, key=len),
            "late_onset_days": str(settings.late_onset_days),
            "chronic_days": str(settings.chronic_days),
            "nerve_days": str(settings.nerve_symptom_warning_days),
        },
    )


def _led_by(first: Item, others: Iterable[Item]) -> list[Item]:
    return [first, *(other for other in others if other != first)]
