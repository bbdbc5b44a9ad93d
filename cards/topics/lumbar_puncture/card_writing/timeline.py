"""The few dates that matter, in words: puncture, onset, today."""

from __future__ import annotations

from datetime import date

from cards.content.texts import Markdown, fill, fill_plain
from cards.fhir.dates import DateRange, Days, days_from, exactly
from cards.record.chart_entry import ChartEntry
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.punctures import Puncture
from cards.topics.lumbar_puncture.settings import TimelinePhrases
from cards.writing.wording import name_resource


def tell_timeline(assessment: Assessment, complaints: list[ChartEntry], topic: Topic) -> Markdown:
    """One bullet each: the puncture, every complaint, today."""
    phrases = topic.phrases.timeline
    last = assessment.punctures.last or next(iter(assessment.punctures.all), None)
    lines = [_puncture(last, assessment.today, topic)] if last else []
    lines += [_complaint(one, last, topic) for one in complaints]
    lines.append(fill(phrases.today, {"date": assessment.today.isoformat()}))
    return Markdown("\n".join(f"- {line}" for line in lines))


def days_since_puncture(assessment: Assessment, topic: Topic) -> str:
    """ "153 days", "2 to 21 days", or that it is not known; for a summary."""
    on = assessment.punctures.last_on
    return in_days(days_from(on, exactly(assessment.today)), topic) if on else topic.phrases.timeline.days_unknown


def in_days(days: Days, topic: Topic) -> str:
    """A span in words; one that cannot be negative."""
    phrases = topic.phrases.timeline
    least, most = max(days.least, 0), max(days.most, 0)
    if least != most:
        return fill_plain(phrases.days_between, {"least": str(least), "most": str(most)})
    return phrases.day if most == 1 else fill_plain(phrases.days, {"days": str(most)})


def _puncture(puncture: Puncture, today: date, topic: Topic) -> Markdown:
    phrases = topic.phrases.timeline
    template = phrases.puncture if puncture.completed else phrases.puncture_unfinished
    ago = (
        fill_plain(phrases.ago, {"days": in_days(days_from(puncture.on, exactly(today)), topic)}) if puncture.on else ""
    )
    values = {
        "date": puncture.on.text if puncture.on else phrases.unknown_date,
        "ago": Markdown(ago),
        "resource": name_resource(puncture.entry, topic),
    }
    return fill(template, values)


def _complaint(entry: ChartEntry, puncture: Puncture | None, topic: Topic) -> Markdown:
    phrases = topic.phrases.timeline
    values = {
        "words": entry.words or entry.resource_type,
        "facts": Markdown(", ".join(_facts(entry, puncture, topic))),
        "resource": name_resource(entry, topic),
    }
    return fill(phrases.complaint, values)


def _facts(entry: ChartEntry, puncture: Puncture | None, topic: Topic) -> list[str]:
    """Since when, how that stands to the puncture, and when it was recorded: onsets are often entered late."""
    phrases = topic.phrases
    facts = [] if entry.confirmed else [phrases.unconfirmed]
    if entry.began:
        relation = _relation(puncture.on, entry.began, phrases.timeline, topic) if puncture and puncture.on else ""
        facts.append(fill(phrases.since, {"date": entry.began.text}) + relation)
        if entry.recorded and entry.recorded.text != entry.began.text:
            facts.append(fill(phrases.entered, {"date": entry.recorded.text}))
    elif entry.recorded:
        facts.append(fill(phrases.recorded_on, {"date": entry.recorded.text}))
    else:
        facts.append(phrases.no_date)
    return facts


def _relation(puncture_on: DateRange, began: DateRange, phrases: TimelinePhrases, topic: Topic) -> str:
    """ " (2 days after the puncture)"; nothing where the dates overlap."""
    after, before = days_from(puncture_on, began), days_from(began, puncture_on)
    if after.least == after.most == 0:
        return phrases.same_day
    if after.least >= 0:
        return fill_plain(phrases.after, {"days": in_days(after, topic)})
    return fill_plain(phrases.before, {"days": in_days(before, topic)}) if before.least >= 0 else ""
