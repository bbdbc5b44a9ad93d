"""Every resource of the embedded FHIR server, with its dates moved so that the stories are true today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from threading import Lock
from typing import Any

from cds_service.sandbox.fhir_server.long_chart import make_long_chart
from cds_service.sandbox.fhir_server.shifted_dates import shift_dates
from cds_service.sandbox.fhir_server.stories import PATIENTS, Stories, Story

PRACTITIONER_ID = "sandbox"
_PRACTITIONER = {
    "resourceType": "Practitioner",
    "id": PRACTITIONER_ID,
    "active": True,
    "name": [{"use": "official", "family": "Testcase", "given": ["Sandra"], "prefix": ["Dr."]}],
}

Json = dict[str, Any]


class PatientCharts:
    """The charts of all stories. One instance serves all threads of a process; the charts of a day are made once."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._lock = Lock()
        self._day: date | None = None
        self._shifted: dict[str, tuple[Json, ...]] = {}

    def resources(self, fhir_version: str, today: date) -> Iterator[Json]:
        """Every resource of the charts in this FHIR version, and the practitioner who orders."""
        yield _PRACTITIONER
        for story in self._stories.patients:
            if story.fhir_version == fhir_version:
                yield from self.of(story, today)

    def of(self, story: Story, today: date) -> Sequence[Json]:
        """The resources of one patient, the Patient first. They are shared: not to be changed."""
        with self._lock:
            if self._day != today:
                self._day, self._shifted = today, {}
            if story.id not in self._shifted:
                days = (today - self._stories.told_on).days
                self._shifted[story.id] = tuple(shift_dates(resource, days) for resource in _as_written(story))
            return self._shifted[story.id]


def _as_written(story: Story) -> Sequence[Json]:
    """The resources of one patient, with the dates of the day of the stories."""
    return _read_chart(story.id) if story.long_chart is None else make_long_chart(story.id, story.long_chart)


@cache
def _read_chart(patient_id: str) -> Sequence[Json]:
    bundle = json.loads((PATIENTS / f"{patient_id}.json").read_text(encoding="utf-8"))
    return tuple(_patient_first(entry["resource"] for entry in bundle["entry"]))


def _patient_first(resources: Iterable[Json]) -> list[Json]:
    return sorted(resources, key=lambda resource: resource["resourceType"] != "Patient")
