"""Entries of the chart in words: lines of a card, with their dates and sources, and the evidence of a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cards.content.phrases import SectionNotes
from cards.content.texts import Citations, Markdown, escape, fill, fill_plain
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord, SectionRead
from cards.topic import Content

LONGEST_SUMMARY = 139  # characters: fewer than 140


def summary_naming(template: str, names: Sequence[str], topic: Content) -> str:
    """The summary with as many of these names as settings allow and as fit, at least one."""
    summary = ""
    for count in range(min(len(names), topic.service.settings.most_findings_in_summary), 0, -1):
        summary = fill_plain(template, {"findings": _enumerate(names[:count], len(names) - count, topic)})
        if len(summary) <= LONGEST_SUMMARY:
            break
    return summary


def not_read(record: PatientRecord, topic: Content) -> Markdown:
    """What of the chart could not be read, a bullet for each section; empty where all of it was."""
    types = topic.service.resource_types
    notes = (
        note for key, words in topic.section_notes.items() for note in _section_notes(record.section(types[key]), words)
    )
    return Markdown("\n".join(f"- {note}" for note in notes))


def list_evidence(citations: Citations, topic: Content) -> Markdown:
    """The cited evidence under its heading."""
    return Markdown(f"**{topic.phrases.evidence}**\n\n{number_evidence(citations, topic)}")


def number_evidence(citations: Citations, topic: Content) -> Markdown:
    """The cited evidence as a numbered list, each with its strength."""
    lines = []
    for number, key in enumerate(citations.keys, start=1):
        evidence = topic.service.evidence[key]
        citation = f"[{evidence.citation}]({evidence.url})" if evidence.url else evidence.citation
        lines.append(f"{number}. {citation} ({evidence.strength})")
    return Markdown("\n".join(lines))


def _section_notes(section: SectionRead, notes: SectionNotes) -> Iterable[str]:
    if not section.obtained:
        yield notes.not_obtained
        return
    if not section.complete:
        yield notes.not_complete
    if section.unread_count:
        yield fill_plain(notes.unread, {"count": str(section.unread_count), "total": str(section.seen_count)})


def _enumerate(names: Sequence[str], more: int, topic: Content) -> str:
    if more:
        return fill_plain(topic.phrases.more, {"names": ", ".join(names), "count": str(more)})
    if len(names) == 1:
        return names[0]
    return fill_plain(topic.phrases.and_, {"names": ", ".join(names[:-1]), "last": names[-1]})


def describe_entries(name: str, entries: Sequence[ChartEntry], value_set_id: str, topic: Content) -> Markdown:
    """A line of a card: our name for a problem, the first entry's standing, date and words, and where all come from.

    `entries`: all of one problem, the best first.
    """
    phrases, entry = topic.phrases, entries[0]
    facts = [phrases.standings[entry.standing.value], _date(entry, topic)]
    if not entry.confirmed:
        facts.insert(0, phrases.unconfirmed)
    match = entry.match_in(value_set_id)
    value_set = topic.chart.value_sets[value_set_id]
    provenance = [
        fill(phrases.by_code, {"system": match.code_system or "", "code": match.code})
        if match and match.code
        else phrases.by_text,
        fill(
            phrases.from_,
            {"resource": name_resource(entry, topic), "value_set": value_set.id, "version": value_set.version},
        ),
    ]
    if entries[1:]:
        provenance.append(_further_entries(entries[1:], topic))
    values = {
        "name": name[:1].upper() + name[1:],
        "facts": Markdown(", ".join(facts)),
        "words": fill(phrases.words, {"words": entry.words}) if entry.words else "",
        "provenance": Markdown("".join(provenance)),
    }
    return fill(phrases.finding, values)


def _further_entries(entries: Sequence[ChartEntry], topic: Content) -> Markdown:
    """The other entries of the same problem, the first few of them by their resource."""
    most = topic.service.settings.most_entries_named
    resources = Markdown(", ".join(name_resource(entry, topic) for entry in entries[:most]))
    if len(entries) > most:
        resources = fill(topic.phrases.more, {"names": resources, "count": str(len(entries) - most)})
    return fill(topic.phrases.further_entries, {"resources": resources})


def _date(entry: ChartEntry, topic: Content) -> Markdown:
    phrases = topic.phrases
    if entry.began:
        performed = entry.resource_type == "Procedure"
        return fill(phrases.performed if performed else phrases.since, {"date": entry.began.text})
    if entry.recorded:
        return fill(phrases.recorded_on, {"date": entry.recorded.text})
    return Markdown(phrases.no_date)


def name_resource(entry: ChartEntry, topic: Content) -> Markdown:
    """ "Condition/123", the reference a reader can look up."""
    if entry.id is None:
        return fill(topic.phrases.without_id, {"type": entry.resource_type})
    return Markdown(f"{entry.resource_type}/{escape(entry.id)}")
