"""Findings in words: a line of a card for each, with its dates and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cards.catalogue import Topic
from cards.content.service import SectionNotes
from cards.content.texts import Citations, Markdown, escape, fill, fill_plain
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord, SectionRead
from cards.topics.lumbar_puncture.decision.findings import UNSPECIFIED, Finding

LONGEST_SUMMARY = 139  # characters: fewer than 140


def summary_with(template: str, findings: Sequence[Finding], topic: Topic) -> str:
    """The summary with as many findings named as settings allow and as fit; `{findings}` is plain text of our own.

    The low back goes without saying there; other levels of the spine are named.
    """
    foremost = topic.service.settings.levels[0]
    names = [finding.kind.label if finding.level == foremost else _name(finding, topic) for finding in findings]
    return summary_naming(template, names, topic)


def summary_naming(template: str, names: Sequence[str], topic: Topic) -> str:
    """The summary with as many of these names as settings allow and as fit, at least one."""
    summary = ""
    for count in range(min(len(names), topic.service.settings.most_findings_in_summary), 0, -1):
        summary = fill_plain(template, {"findings": _enumerate(names[:count], len(names) - count, topic)})
        if len(summary) <= LONGEST_SUMMARY:
            break
    return summary


def with_findings(summary: str, findings: Sequence[Finding], topic: Topic) -> str:
    """A whole summary, and after it what the chart holds, where that still fits."""
    longer = summary_with(summary + topic.phrases.in_summary, findings, topic)
    return longer if findings and len(longer) <= LONGEST_SUMMARY else summary


def list_findings(findings: Sequence[Finding], topic: Topic) -> Markdown:
    """One bullet for each finding, at most as many as settings allow, then the others by name."""
    most = topic.service.settings.most_findings_listed
    lines = [f"- {_line(finding, topic)}" for finding in findings[:most]]
    if len(findings) > most:
        rest = [finding.kind.label for finding in findings[most:]]
        lines.append("- " + ", ".join(dict.fromkeys(rest)).capitalize())
    return Markdown("\n".join(lines))


def tell_contributors(findings: Sequence[Finding], citations: Citations, topic: Topic) -> Markdown:
    """The contributors with what may be said of them; nothing where there is none."""
    if not findings:
        return Markdown("")
    return topic.texts["contributors"].body({"findings": list_findings(findings, topic)}, citations)


def not_read(record: PatientRecord, topic: Topic) -> Markdown:
    """What of the chart could not be read, one bullet each; empty where all of it was."""
    sections = [(record.conditions, topic.phrases.conditions), (record.procedures, topic.phrases.procedures)]
    return Markdown("\n".join(f"- {note}" for section, notes in sections for note in _section_notes(section, notes)))


def list_evidence(citations: Citations, topic: Topic) -> Markdown:
    """The cited evidence under its heading."""
    return Markdown(f"**{topic.phrases.evidence}**\n\n{number_evidence(citations, topic)}")


def number_evidence(citations: Citations, topic: Topic) -> Markdown:
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


def _enumerate(names: Sequence[str], more: int, topic: Topic) -> str:
    if more:
        return fill_plain(topic.phrases.more, {"names": ", ".join(names), "count": str(more)})
    if len(names) == 1:
        return names[0]
    return fill_plain(topic.phrases.and_, {"names": ", ".join(names[:-1]), "last": names[-1]})


def _name(finding: Finding, topic: Topic) -> str:
    label = finding.kind.label
    if finding.level == UNSPECIFIED:
        return label
    return fill_plain(topic.phrases.name_with_level, {"label": label, "level": topic.phrases.levels[finding.level]})


def _line(finding: Finding, topic: Topic) -> Markdown:
    return tell_entries(_name(finding, topic), finding.entries, finding.kind.value_set, topic)


def tell_entries(name: str, entries: Sequence[ChartEntry], value_set_id: str, topic: Topic) -> Markdown:
    """A line of a card: a problem by our name for it, the best witness with date and words, and where it comes from."""
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


def _further_entries(entries: Sequence[ChartEntry], topic: Topic) -> Markdown:
    """The other entries of the same problem, the first few of them by name."""
    most = topic.service.settings.most_entries_named
    resources = Markdown(", ".join(name_resource(entry, topic) for entry in entries[:most]))
    if len(entries) > most:
        resources = fill(topic.phrases.more, {"names": resources, "count": str(len(entries) - most)})
    return fill(topic.phrases.further_entries, {"resources": resources})


def _date(entry: ChartEntry, topic: Topic) -> Markdown:
    phrases = topic.phrases
    if entry.began:
        performed = entry.resource_type == "Procedure"
        return fill(phrases.performed if performed else phrases.since, {"date": entry.began.text})
    if entry.recorded:
        return fill(phrases.recorded_on, {"date": entry.recorded.text})
    return Markdown(phrases.no_date)


def name_resource(entry: ChartEntry, topic: Topic) -> Markdown:
    """ "Condition/123", the reference a reader can look up."""
    if entry.id is None:
        return fill(topic.phrases.without_id, {"type": entry.resource_type})
    return Markdown(f"{entry.resource_type}/{escape(entry.id)}")
