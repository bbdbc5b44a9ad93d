"""Charts and orders of the decision's tables, by days from the lumbar puncture."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from cards.evaluate import triage
from cards.fhir.bundle import read_bundle
from cards.fhir.draft_orders import read_draft_orders
from cards.record.patient_record import PatientRecord, Section, read_section
from cards.topics.lumbar_puncture.decision.triage import Triage
from cards.topics.lumbar_puncture.topic import LumbarPuncture
from tests.charts import CPT, LUMBAR_PUNCTURE, PATIENT, coded, condition, order, procedure, searchset

PUNCTURED_ON = date(2026, 1, 5)
SPINE_MRI = coded(CPT, "72148")


def day(number: int) -> date:
    """So many days after the puncture."""
    return PUNCTURED_ON + timedelta(days=number)


def puncture(**elements: Any) -> Any:
    """A completed lumbar puncture on day 0."""
    return procedure(LUMBAR_PUNCTURE, **({"performedDateTime": PUNCTURED_ON.isoformat()} | elements))


def problem(words: str, onset: int | None = None, recorded: int | None = None, **elements: Any) -> Any:
    """An active Condition by its words, with onset and record so many days after the puncture, where there are any."""
    dates = {"onsetDateTime": onset, "recordedDate": recorded}
    shown = {name: None if number is None else day(number).isoformat() for name, number in dates.items()}
    return condition(**({"code": {"text": words}, "id": None} | shown | elements))


def record(topic: LumbarPuncture, today: date, *resources: Any) -> PatientRecord:
    """The record that these resources make."""
    entries = read_bundle(json.dumps(searchset(*resources)).encode()).entries
    sections = {
        resource_type: read_section(Section(entries), resource_type, PATIENT, topic.chart, today)
        for resource_type in ("Condition", "Procedure")
    }
    return PatientRecord(PATIENT, sections)


def triaged(topic: LumbarPuncture, *drafts: Any) -> Triage | None:
    """What the topic makes of these drafts."""
    found = triage(topic, read_draft_orders(json.dumps(searchset(*drafts)).encode(), None))
    assert found is None or isinstance(found, Triage)
    return found


def work_up(reason: str | None = None, **elements: Any) -> Any:
    """An MRI of the lumbar spine."""
    return order(SPINE_MRI, **({"reasonCode": [{"text": reason}]} if reason else {}), **elements)
