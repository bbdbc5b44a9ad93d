"""Puts together the record of one call: from prefetch where it answers, from the FHIR server where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

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
from cards.topic import Topic
from cds_service.cds_hooks.wire import HookRequest
from cds_service.errors import BadRequest, CodedReason
from cds_service.fhir_client.base_url import FhirBase, parse_base
from cds_service.fhir_client.prefetch import PrefetchValue, State, fill_template, sort_value
from cds_service.fhir_client.read_failure import ReadFailure
from cds_service.fhir_client.reader import FetchResult, FhirReader

REASON = "reason"  # as a ReadLog names a read that a reasonReference asks for


@dataclass(frozen=True)
class ReadLog:
    """One read from a FHIR server. `key`: of prefetch, or REASON; `began`: as time.perf_counter has it."""

    key: str
    failure: CodedReason | None
    began: float
    seconds: float


@dataclass
class ChartLog:
    """How the record came about, in counts and states: what may be logged of it."""

    prefetch: dict[str, str] = field(default_factory=dict)
    reads: list[ReadLog] = field(default_factory=list)
    fetch_failures: dict[str, CodedReason] = field(default_factory=dict)
    resources_seen: dict[str, int] = field(default_factory=dict)
    resources_unread: dict[str, Mapping[str, int]] = field(default_factory=dict)
    reasons_looked_up: dict[str, int] = field(default_factory=dict)


class ChartReader:
    """Reads the record of the patient of a call."""

    def __init__(self, topic: Topic, fhir_reader: FhirReader) -> None:
        self._topic = topic
        self._resource_types = topic.service.resource_types
        self._fhir_reader = fhir_reader

    def deadline(self) -> float:
        """When a call that begins now has to stop reading from its FHIR server, on the monotonic clock."""
        return self._fhir_reader.deadline()

    def read(
        self, request: HookRequest, needs: Sequence[str], today: date, log: ChartLog, deadline: float | None
    ) -> PatientRecord:
        """The record, as complete as prefetch and FHIR server allow; from prefetch alone where `deadline` is None.

        Raises BadRequest where it is somebody else's.
        """
        values = {key: sort_value(request.prefetch.get(key)) for key in needs}
        log.prefetch = {key: value.state.value for key, value in values.items()}
        fetched = self._fetch_missing(request, values, deadline) if deadline is not None else {}
        log.reads += [ReadLog(key, one.failure, one.began, one.seconds) for key, one in fetched.items()]
        log.fetch_failures = {key: result.failure for key, result in fetched.items() if result.failure}
        sections = {}
        for key, resource_type in self._resource_types.items():
            read = self._section(key, request, values[key], fetched.get(key), today, log)
            log.resources_seen[resource_type] = read.seen_count
            if read.unread:
                log.resources_unread[resource_type] = read.unread
            sections[resource_type] = read
        patient = self._patient(request, values.get("patient"), fetched.get("patient"))
        return PatientRecord(request.patient_id, sections, patient.language, patient.birth_date)

    def look_up(
        self, request: HookRequest, references: Sequence[str], log: ChartLog, deadline: float
    ) -> dict[str, CodeableConcept]:
        """What each of these references to a Condition says, from prefetch or else from the FHIR server, one by one.

        A Condition that cannot be had, is on another server, or is not certainly this patient's, is left out.
        """
        wanted = {one: condition_id(one) for one in references if _is_on_server(one, request.server)}
        value = sort_value(request.prefetch.get("conditions"))
        resources = [one.resource for one in value.entries if one and one.resource]
        known = {one.id: one for one in resources if one.resource_type == "Condition"}
        urls = {reference: f"Condition/{id_}" for reference, id_ in wanted.items() if id_ not in known}
        fetched = self._fhir_reader.fetch(request.server, request.access_token, urls, deadline) if urls else {}
        log.reads += [ReadLog(REASON, one.failure, one.began, one.seconds) for one in fetched.values()]
        found = {reference: known[id_] for reference, id_ in wanted.items() if id_ in known}
        for one, result in fetched.items():
            answers = [entry.resource for entry in result.entries if entry and entry.resource]
            found.update((one, answer) for answer in answers[:1])
        told = {one: resource.concept() for one, resource in found.items() if _is_condition_of(resource, request)}
        log.reasons_looked_up = {"wanted": len(references), "fetched": len(urls), "found": len(told)}
        return told

    def _fetch_missing(
        self, request: HookRequest, values: Mapping[str, PrefetchValue], deadline: float
    ) -> dict[str, FetchResult]:
        templates = self._topic.service.prefetch
        urls = {
            key: value.next_url or fill_template(templates[key], request.patient_id)
            for key, value in values.items()
            if value.state in (State.MISSING, State.PARTIAL)
        }
        return self._fhir_reader.fetch(request.server, request.access_token, urls, deadline) if urls else {}

    def _section(
        self,
        key: str,
        request: HookRequest,
        value: PrefetchValue,
        fetched: FetchResult | None,
        today: date,
        log: ChartLog,
    ) -> SectionRead:
        def read(section: Section) -> SectionRead:
            return read_section(section, self._resource_types[key], request.patient_id, self._topic.chart, today)

        obtained = value.state not in (State.FAILED, State.MISSING)
        try:
            given = read(Section(value.entries, obtained=obtained, complete=value.state is not State.PARTIAL))
        except OtherPatient as other:
            raise _other_patient(f"prefetch.{key}", other.index) from None
        if fetched is None:
            return given
        try:
            return read(_merged(value, fetched))
        except OtherPatient:  # a server that ignores `patient=` answers with everybody: none of it is used
            words = "the server answered with another patient's data"
            log.fetch_failures[key] = CodedReason(ReadFailure.OTHER_PATIENT, words)
            return given

    def _patient(self, request: HookRequest, value: PrefetchValue | None, fetched: FetchResult | None) -> PatientFacts:
        """The facts of the Patient. Raises BadRequest where prefetch holds another one."""
        entries = value.entries if value else ()
        sent = bool(entries)
        entries = entries or (fetched.entries if fetched else ())
        facts = read_patient(entries[0]) if entries else None
        if facts is None or facts.id is None or facts.id == request.patient_id:
            return facts or PatientFacts(None)
        if sent:
            raise _other_patient("prefetch.patient", 0)
        return PatientFacts(None)


def _is_on_server(reference: str, server: FhirBase | None) -> bool:
    """Whether a reference is relative, or leads to the server of the call: the same id elsewhere is somebody else's."""
    address = reference.strip().rpartition("/Condition/")[0]
    return not address or (server is not None and parse_base(address) == server)


def _is_condition_of(resource: ChartResource, request: HookRequest) -> bool:
    """Whether this is a Condition, and of the patient of the call."""
    if resource.resource_type != "Condition":
        return False
    try:
        return Ownership(request.patient_id, ()).is_ours(resource.subject or resource.patient, 0)
    except OtherPatient:
        return False


def _merged(value: PrefetchValue, fetched: FetchResult) -> Section:
    """The first page as it was sent and the pages after it; or, where no link led on, the search made anew."""
    anew = value.next_url is None and len(fetched.entries) >= len(value.entries)
    entries = fetched.entries if anew else [*value.entries, *fetched.entries]
    enough = count_matches(entries) >= max(value.total, fetched.total)
    obtained = value.state is State.PARTIAL or fetched.failure is None or bool(fetched.entries)
    return Section(entries, obtained=obtained, complete=fetched.failure is None and enough)


def _other_patient(path: str, index: int) -> BadRequest:
    return BadRequest(
        f"{path}: entry {index} (counted from 0) is about a patient other than context.patientId: "
        "send this patient's data only (R-2.88)",
        expression=path,
        issue_code="business-rule",
    )
