"""The timeline of a chart, as the topic of a service sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from cards.record.patient_record import OtherPatient, PatientRecord, Section, read_section
from cards.timeline import Timeline
from cards.topic import Topic
from cds_service.fhir_client.prefetch import sort_value


def read_timeline(prefetch: Mapping[str, msgspec.Raw], patient_id: str, topic: Topic, today: date) -> Timeline | None:
    """The timeline of a complete prefetch; None where it is about somebody else."""
    sections = {}
    try:
        for key, resource_type in topic.service.resource_types.items():
            section = Section(sort_value(prefetch.get(key)).entries)
            sections[resource_type] = read_section(section, resource_type, patient_id, topic.chart, today)
    except OtherPatient:
        return None
    return topic.timeline(PatientRecord(patient_id, sections), today)
