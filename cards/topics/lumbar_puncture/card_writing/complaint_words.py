"""The puncture, pain, numbness and what weighs in, in words: the first lines of a card's "In this chart", and days."""

from __future__ import annotations

from collections.abc import Iterator

from cards.content.texts import fill
from cards.fhir.dates import Days, days_from, exactly
from cards.record.chart_entry import ChartEntry
from cards.record.problem import Evidence
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.pain import PainClass, WhyUnknown
from cards.topics.lumbar_puncture.settings import DayPhrases
from cards.writing.wording import capitalize, describe_entry, format_date


def numbers(assessment: Assessment, topic: Topic) -> dict[str, str]:
    """What fills a summary: the days since the puncture, the limits that decide, what weighs in most."""
    settings = topic.service.after_puncture
    return {
        "days": days_since_puncture(assessment, topic),
        "late_onset_days": str(settings.late_onset_days),
        "chronic_days": str(settings.chronic_days),
        "nerve_days": str(settings.nerve_symptom_warning_days),
        "escalator": assessment.escalators[0].label if assessment.escalators else "",
    }


def days_since_puncture(assessment: Assessment, topic: Topic) -> str:
    """ "153 days", "2 to 21 days", or that it is not known."""
    on, phrases = assessment.punctures.last_on, topic.phrases.days
    return in_days(days_from(on, exactly(assessment.today)), phrases) if on else phrases.unknown


def in_days(days: Days, phrases: DayPhrases) -> str:
    """A span in words; one that cannot be negative."""
    least, most = max(days.least, 0), max(days.most, 0)
    if least != most:
        return fill(phrases.between, {"least": str(least), "most": str(most)})
    return phrases.one if most == 1 else fill(phrases.several, {"days": str(most)})


def describe_pain(assessment: Assessment, topic: Topic) -> Iterator[str]:
    """The pain that is present, the pain known before the puncture, and what weighs in or is not known."""
    pain, settings = assessment.pain, topic.service.after_puncture
    if pain.evidence is not None:
        is_old = pain.evidence in pain.baseline
        yield _evidence(settings.baseline_label if is_old else settings.pain_label, pain.evidence, assessment, topic)
        if pain.baseline and not is_old:
            yield _evidence(settings.baseline_label, pain.baseline[0], assessment, topic)
    if WhyUnknown.PUNCTURE_MISSING in pain.why_unknown:
        yield fill(topic.phrases.no_date, {"name": topic.phrases.puncture})
    elif WhyUnknown.PUNCTURE_IMPRECISE in pain.why_unknown and assessment.punctures.last_on is not None:
        yield f"{topic.phrases.puncture}, {format_date(assessment.punctures.last_on, assessment.today)}"
    if pain.pain_class is PainClass.RULE_OUT_FIRST:  # the first stands in the summary
        yield from (capitalize(escalator.label) for escalator in assessment.escalators[1:])


def describe_nerve_symptom(assessment: Assessment, topic: Topic) -> Iterator[str]:
    """Numbness or tingling that may be new since the puncture."""
    nerve = assessment.nerve_symptom
    if nerve is not None:
        label = topic.service.after_puncture.nerve_symptom_label
        yield _evidence(label, nerve.evidence[0], assessment, topic)


def describe_flags(assessment: Assessment, topic: Topic) -> Iterator[str]:
    """The red flags that count, and what weighs in."""
    for flag in assessment.red_flags:
        yield _evidence(flag.kind.label, flag.evidence[0], assessment, topic)
    yield from (capitalize(escalator.label) for escalator in assessment.escalators)


def first_complaint(assessment: Assessment) -> ChartEntry | None:
    """The entry that tells best of the pain, else of the numbness."""
    nerve = assessment.nerve_symptom
    return assessment.pain.entry or (nerve.entries[0] if nerve else None)


def _evidence(label: str, evidence: Evidence, assessment: Assessment, topic: Topic) -> str:
    phrases = topic.phrases
    if not evidence.is_order:
        return describe_entry(label, evidence.entry, phrases, assessment.today)
    name = label if evidence.entry.confirmed else fill(phrases.possible, {"name": label})
    if evidence.began is not None:
        name += ", " + fill(phrases.since, {"date": format_date(evidence.began, assessment.today)})
    return capitalize(fill(phrases.in_order, {"name": name}))
