"""Puts together the record of one call: from prefetch where it answers, from the FHIR server where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial

from cards.fhir.bundle import count_matches
from cards.fhir.draft_orders import condition_id
from cards.fhir.patient_check import Ownership
from cards.fhir.resources import ChartResource, CodeableConcept
from cards.record.patient_record import (
    OtherPatient,
    PatientFacts,
    PatientRecord,
    Section,
    SectionRead,
    read_patient,
    read_section,
)
from cds_service.cds_hooks.hook_request import HookRequest
from cds_service.errors import BadRequest, CodedReason, ReadFailure
from cds_service.event_log.call_log import REASON, ChartLog, ReadLog
from cds_service.fhir_client.base_url import FhirBase, parse_base
from cds_service.fhir_client.prefetch import PrefetchValue, State, fill_template, sort_value
from cds_service.fhir_client.reader import FetchResult, FhirReader
from cds_service.steps import Steps


class PatientChart:
    """What one call lets us know of its patient. The time for its FHIR server begins with it.

    `may_read`: whether the client of the call may have us read from a FHIR server.
    """

    def __init__(
        self, call: HookRequest, may_read: Callable[[FhirBase], bool], fhir: FhirReader, log: ChartLog
    ) -> None:
        self._topic = call.topic
        self._call = call
        self._fhir = fhir
        self._log = log
        self._deadline = fhir.deadline()
        named = parse_base(call.fhir_server or "")
        self._server = named if named and may_read(named) else None

    def look_up(self, references: Sequence[str]) -> Steps[dict[str, CodeableConcept]]:
        """What each of these references to a Condition says, from prefetch or else from the FHIR server, one by one.

        A Condition that cannot be read, is on another server, or is not certainly this patient's, is left out.
        """
        wanted = {
            reference: condition_id(reference) for reference in references if _is_on_server(reference, self._server)
        }
        keys = [key for key, name in self._topic.service.resource_types.items() if name == "Condition"]
        entries = [entry for key in keys for entry in sort_value(self._call.prefetch.get(key)).entries]
        resources = [entry.resource for entry in entries if entry and entry.resource]
        known = {resource.id: resource for resource in resources if resource.resource_type == "Condition"}
        urls = {reference: f"Condition/{id_}" for reference, id_ in wanted.items() if id_ not in known}
        fetched = yield from self._fetch(urls)
        self._log.reads += [ReadLog(REASON, read.failure, read.began, read.seconds) for read in fetched.values()]
        conditions = {reference: known[id_] for reference, id_ in wanted.items() if id_ in known}
        for reference, result in fetched.items():
            answers = [entry.resource for entry in result.entries if entry and entry.resource]
            conditions.update((reference, answer) for answer in answers[:1])
        concepts = {
            reference: condition.concept()
            for reference, condition in conditions.items()
            if _is_condition_of(condition, self._call.patient_id)
        }
        self._log.reasons_looked_up = {"wanted": len(references), "fetched": len(urls), "found": len(concepts)}
        return concepts

    def read(self, needs: Sequence[str], today: date, *, fetching: bool) -> Steps[PatientRecord]:
        """The record, as complete as prefetch and FHIR server allow; from prefetch alone where not `fetching`.

        `needs`: keys of the prefetch. Raises BadRequest where the prefetch has data of another patient.
        """
        values = {key: sort_value(self._call.prefetch.get(key)) for key in needs}
        self._log.prefetch = {key: value.state.value for key, value in values.items()}
        fetched = (yield from self._fetch(self._missing(values))) if fetching else {}
        self._log.reads += [ReadLog(key, read.failure, read.began, read.seconds) for key, read in fetched.items()]
        self._log.fetch_failures = {key: result.failure for key, result in fetched.items() if result.failure}
        sections = {}
        for key, resource_type in self._topic.service.resource_types.items():
            if key not in values:
                continue
            section = self._section(key, resource_type, values[key], fetched.get(key), today)
            self._log.resources_seen[resource_type] = section.seen_count
            if section.unread:
                self._log.resources_unread[resource_type] = section.unread
            sections[resource_type] = section
        patient = PatientFacts(None)
        for key in values.keys() - self._topic.service.resource_types.keys():  # the Patient: no other resource is read
            patient = self._patient(key, values[key], fetched.get(key))
        return PatientRecord(self._call.patient_id, sections, patient.language, patient.birth_date)

    def _fetch(self, urls: Mapping[str, str]) -> Steps[dict[str, FetchResult]]:
        if not urls:
            return {}
        token = self._call.access_token
        results: dict[str, FetchResult] = yield partial(self._fhir.fetch, self._server, token, urls, self._deadline)
        return results

    def _missing(self, values: Mapping[str, PrefetchValue]) -> dict[str, str]:
        """What has to be read from the FHIR server, by key: all of a section, or its pages from the next one on."""
        templates = self._topic.service.prefetch
        return {
            key: value.next_url or fill_template(templates[key], self._call.patient_id)
            for key, value in values.items()
            if value.state in (State.MISSING, State.PARTIAL)
        }

    def _section(
        self, key: str, resource_type: str, value: PrefetchValue, fetched: FetchResult | None, today: date
    ) -> SectionRead:
        def read(section: Section) -> SectionRead:
            return read_section(section, resource_type, self._call.patient_id, self._topic.chart, today)

        obtained = value.state not in (State.FAILED, State.MISSING)
        try:
            sent = read(Section(value.entries, obtained=obtained, complete=value.state is not State.PARTIAL))
        except OtherPatient as other:
            raise _other_patient(f"prefetch.{key}", other.index) from None
        if fetched is None:
            return sent
        try:
            return read(_merged(value, fetched))
        except OtherPatient:  # a server that ignores `patient=` answers with everybody: none of it is used
            words = "the server answered with another patient's data"
            self._log.fetch_failures[key] = CodedReason(ReadFailure.OTHER_PATIENT, words)
            return sent

    def _patient(self, key: str, value: PrefetchValue, fetched: FetchResult | None) -> PatientFacts:
        """The facts of the Patient. Raises BadRequest where prefetch has another one."""
        entries = value.entries or (fetched.entries if fetched else ())
        facts = read_patient(entries[0]) if entries else None
        if facts is None or facts.id is None or facts.id == self._call.patient_id:
            return facts or PatientFacts(None)
        if value.entries:
            raise _other_patient(f"prefetch.{key}", 0)
        return PatientFacts(None)


def _is_on_server(reference: str, server: FhirBase | None) -> bool:
    """Whether a reference is relative, or names the server of the call; elsewhere the id is another Condition's."""
    address = reference.strip().rpartition("/Condition/")[0]
    return not address or (server is not None and parse_base(address) == server)


def _is_condition_of(resource: ChartResource, patient_id: str) -> bool:
    """Whether this is a Condition of this patient."""
    if resource.resource_type != "Condition":
        return False
    try:
        return Ownership(patient_id, ()).is_ours(resource.subject or resource.patient, 0)
    except OtherPatient:
        return False


def _merged(value: PrefetchValue, fetched: FetchResult) -> Section:
    """The first page as it was sent and the pages after it; or, where no link led on, the search made again."""
    anew = value.next_url is None and len(fetched.entries) >= len(value.entries)
    entries = fetched.entries if anew else [*value.entries, *fetched.entries]
    enough = count_matches(entries) >= max(value.total, fetched.total)
    obtained = value.state is State.PARTIAL or fetched.failure is None or bool(fetched.entries)
    return Section(entries, obtained=obtained, complete=fetched.failure is None and enough)


def _other_patient(path: str, index: int) -> BadRequest:
    return BadRequest(
        f"{path}: entry {index} (counted from 0) is about a patient other than context.patientId: "
        "send this patient's data only",
        expression=path,
        issue_code="business-rule",
    )
