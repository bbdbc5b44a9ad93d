"""The chart in words: lines of a card and names in its summary. No text of the chart itself stands on a card."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date

from cards.content.phrases import Phrases, SectionNotes
from cards.content.texts import fill
from cards.fhir.dates import DateRange
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord, SectionRead
from cards.topic import Content

LONGEST_SUMMARY = 139  # characters: fewer than 140
_DAY_SHOWN_DAYS = 60  # a day matters so long, then the month does
_MONTH_SHOWN_DAYS = 730  # and then the year


def summary_naming(template: str, names: Sequence[str], topic: Content) -> str:
    """The summary with as many of these names as settings allow and as fit, at least one; it begins with a capital."""
    summary = ""
    for count in range(min(len(names), topic.service.settings.most_findings_in_summary), 0, -1):
        listed = _enumerate(names[:count], len(names) - count, topic.phrases)
        summary = capitalize(fill(template, {"findings": listed}))
        if len(summary) <= LONGEST_SUMMARY:
            break
    return summary


def describe_entry(name: str, entry: ChartEntry, phrases: Phrases, today: date) -> str:
    """A line of a card: our name for a problem, since when, and then only what is not ordinary about its entry."""
    parts = [name if entry.confirmed else fill(phrases.possible, {"name": name})]
    if entry.began:
        since = phrases.performed if entry.resource_type == "Procedure" else phrases.since
        parts.append(fill(since, {"date": format_date(entry.began, today)}))
    elif entry.recorded:
        parts.append(fill(phrases.entered, {"date": format_date(entry.recorded, today)}))
    line = capitalize(", ".join(parts))
    standing = phrases.standings.get(entry.standing.value)
    return f"{line}; {standing}" if standing else line


def format_date(day: DateRange, today: date) -> str:
    """A date as precise as it matters and as it is known: "2026-11-20" of late, else "2026-03", else "2019"."""
    age, width = (today - day.last).days, (day.last - day.first).days
    if width == 0 and age <= _DAY_SHOWN_DAYS:
        return day.first.isoformat()
    if width <= 31 and age <= _MONTH_SHOWN_DAYS:
        return f"{day.first:%Y-%m}"
    return f"{day.first:%Y}"


def list_lines(lines: Sequence[str], others: Sequence[str], topic: Content) -> list[str]:
    """The lines that settings allow; what is left over is named in one line, by its name in `others`."""
    most = topic.service.settings.most_findings_listed
    if len(lines) <= most:
        return list(lines)
    rest = ", ".join(dict.fromkeys(others[most:]))
    return [*lines[:most], fill(topic.phrases.also, {"names": rest})]


def not_checked(record: PatientRecord, topic: Content, except_for: Collection[str] = ()) -> str:
    """One line that says what of the chart could not be read; empty where all of it was.

    `except_for`: keys of the prefetch that the summary speaks of already.
    """
    types = topic.service.resource_types
    sections = (
        (record.section(types[key]), notes) for key, notes in topic.section_notes.items() if key not in except_for
    )
    what = [note for section, notes in sections for note in _section_note(section, notes)]
    return fill(topic.phrases.not_checked, {"what": ", ".join(what)}) if what else ""


def capitalize(words: str) -> str:
    """`words` with a capital first letter, and the others as they are."""
    return words[:1].upper() + words[1:]


def _section_note(section: SectionRead, notes: SectionNotes) -> Iterator[str]:
    if not section.obtained:
        yield notes.not_obtained
    elif not section.complete:
        yield notes.not_complete
    elif section.unread_count:
        yield fill(notes.unread, {"count": str(section.unread_count)})


def _enumerate(names: Sequence[str], more: int, phrases: Phrases) -> str:
    if more:
        return fill(phrases.more, {"names": ", ".join(names), "count": str(more)})
    if len(names) == 1:
        return names[0]
    return fill(phrases.and_, {"names": ", ".join(names[:-1]), "last": names[-1]})
