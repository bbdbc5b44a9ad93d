"""What part each entry of a chart plays in the decision, in plain English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cards.explanation.words import Paragraph, list_codes, list_matches, name_resource, quote_words
from cards.fhir.bundle import Entries
from cards.fhir.dates import until
from cards.fhir.resources import ChartResource, Condition, Procedure
from cards.fhir.tolerant_reading import ABSENT, read_elements
from cards.record.chart_entry import ChartEntry, Standing, read_chart_entry
from cards.record.patient_record import PatientRecord, Section, SectionRead, read_section
from cards.topic import Explanation, Fact, Topic

_MOST_NAMED = 20  # entries without a match, each by name
_STANDINGS = {
    Standing.CURRENT: "current",
    Standing.NOT_RECORDED: "no status, so it counts as current",
    Standing.RESOLVED: "resolved",
    Standing.DONE: "completed",
    Standing.UNFINISHED: "not completed",
    Standing.NOT_DONE: "not done",
}
_UNREAD = {
    "no code": "no code: neither a code nor words to judge by",
    "patient not resolved": "patient not resolved: nothing in the call tells whose it is",
    "not a resource": "not a resource",
}
_DATES = (
    "onset_date_time", "onset_period", "performed_date_time", "performed_period", "performed_string",
    "occurrence_date_time", "occurrence_period", "occurrence_string",
)  # fmt: skip


class ChartExplainer:
    """Explains the entries of a chart with what a topic made of them."""

    def __init__(self, topic: Topic, explanation: Explanation, record: PatientRecord, today: date) -> None:
        self._topic = topic
        self._explanation = explanation
        self._record = record
        self._today = today

    def explain(self, entries: Entries, resource_type: str) -> Iterator[Paragraph]:
        """Each entry of this type by its name, with labeled facts; many without a match in one line."""
        yield f"{resource_type}s: {_section_words(self._record.section(resource_type))}", []
        paragraphs: list[tuple[bool, Paragraph]] = []
        patients = [
            entry for entry in entries if entry and entry.resource and entry.resource.resource_type == "Patient"
        ]
        for index, entry in enumerate(entries):
            # each by itself with the service's own reader, beside the Patients to whom it may refer
            alone = Section([entry, *patients])
            read = read_section(alone, resource_type, self._record.patient_id, self._topic.chart, self._today)
            resource = entry.resource if entry else None
            name = name_resource(resource_type, resource.id if resource else None, index)
            if read.unread or resource is None:
                paragraphs.append((True, (name, [("unread", _UNREAD.get(why, why)) for why in sorted(read.unread)])))
            elif read.seen_count:
                matters, facts = self._facts(resource)
                paragraphs.append((matters, (name, facts)))
        plain = sum(not matters for matters, _ in paragraphs)
        yield from (paragraph for matters, paragraph in paragraphs if matters or plain <= _MOST_NAMED)
        if plain > _MOST_NAMED:
            yield f"{plain} more {resource_type}s, in none of our value sets", []

    def _facts(self, resource: ChartResource) -> tuple[bool, list[Fact]]:
        """Whether a resource is worth a look, and all there is to say of it."""
        concept, today = resource.concept(), self._today
        matches = self._topic.chart.match(concept)
        entry = read_chart_entry(resource, matches, today)
        if entry is not None and self._record.birth_date is not None:
            entry = entry.in_life(self._record.birth_date)
        if entry is None:
            roles = [f"none: {_why_left_out(resource)}"]
        elif matches:
            roles = list(self._explanation.roles(entry))
        else:
            roles = list(self._explanation.roles_without_match(concept))
            denied = sorted(self._topic.chart.mentioned(concept))
            roles += [f"none: its words name {name}, and deny it or mean something else" for name in denied]
        facts = [("words", quote_words([concept])), ("codes", list_codes([concept]))]
        if entry is not None:
            facts.append(("standing", _standing(entry, resource, today)))
        facts.append(("in", list_matches(matches) or "none of our value sets"))
        return bool(matches or roles), facts + [("role", role) for role in roles or ["none"]]


def _why_left_out(resource: ChartResource) -> str:
    if resource.resource_type != "Procedure":
        return "refuted or entered in error"
    status = read_elements(resource, Procedure).status
    return f"not performed (status {status.strip()})" if status else "not performed"


def _section_words(section: SectionRead) -> str:
    if not section.obtained:
        return "could not be read"
    partial = "" if section.complete else ", and there are more"
    unread = f", {section.unread_count} of them not understood" if section.unread_count else ""
    return f"{section.seen_count} in the call{partial}{unread}"


def _standing(entry: ChartEntry, resource: ChartResource, today: date) -> str:
    """ "current; unconfirmed; since 2026-06-24; recorded 2026-07-30"."""
    parts = [_STANDINGS[entry.standing]]
    if not entry.confirmed:
        parts.append("unconfirmed")
    ahead = ", which is in the future and is ignored"
    if entry.began:
        word = "performed" if entry.resource_type == "Procedure" else "since"
        parts.append(f"{word} {entry.began.text}{ahead * (until(entry.began, today) is None)}")
    elif any(getattr(resource, name) is not ABSENT for name in _DATES):
        parts.append("a date that could not be read")
    abated = read_elements(resource, Condition).abatement_date_time
    if abated:
        parts.append(f"abated {abated}")
    if entry.recorded:
        parts.append(f"recorded {entry.recorded.text}{ahead * (until(entry.recorded, today) is None)}")
    return "; ".join(parts if len(parts) > 1 + (not entry.confirmed) else [*parts, "undated"])
