"""One chart, one answer: from complete prefetch, from a real FHIR server page by page, or from some of both.

Every answer is compared whole, ids and content version included: the calls share a hookInstance, so nothing may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.charts import CPT, SNOMED, Json, coded, hook_call, order
from tests.interop.conftest import ClockedService
from tests.interop.fhir_client import FhirClient, fixture_entries, prefetch_of

ORDERS = {"puncture": coded(SNOMED, "277762005"), "MRI": coded(CPT, "72148")}
# Patient, what is ordered, and the keys of the cards: those of the sandbox's stories, with the same orders.
STORIES = [
    ("lab-stenosis", "puncture", ["what-to-expect", "confounders"]),
    ("lab-plain", "puncture", ["what-to-expect"]),
    ("lab-lp5mo", "MRI", ["pain-after-puncture"]),
    ("lab-redflag", "MRI", ["red-flags"]),
    ("lab-es", "MRI", ["pain-after-puncture"]),
    ("dirty-data", "MRI", ["pain-after-puncture"]),
    ("lab-many", "MRI", ["pain-after-puncture"]),
    ("lab-many", "puncture", ["what-to-expect", "confounders"]),
]
# HAPI parses strictly: three impossible dates, a date-time without a zone, an id with underscores.
REFUSED = {
    "HAPI FHIR": {"dirty-data-c2", "dirty_data_c3", "dirty-data-c10", "lab-many-c138", "lab-many-c200"},
    "Medplum": set[str](),
}


@dataclass
class LoadedServer:
    """A real FHIR server with the fixtures on it. `refused`: the ids of what it did not take."""

    name: str
    client: FhirClient
    refused: set[str] = field(default_factory=set)

    def taken(self, patient_id: str) -> list[Json]:
        """What of a fixture is on it."""
        return [one for one in fixture_entries(patient_id) if one["resource"]["id"] not in self.refused]


@pytest.fixture(scope="module", params=[pytest.param("HAPI FHIR", id="HAPI"), pytest.param("Medplum", id="Medplum")])
def loaded(request: pytest.FixtureRequest) -> LoadedServer:
    base = request.getfixturevalue("hapi" if request.param == "HAPI FHIR" else "medplum")
    server = LoadedServer(request.param, FhirClient(base))
    for patient_id in sorted({story[0] for story in STORIES}):
        server.refused |= set(server.client.put_each(fixture_entries(patient_id)))
    return server


def call_about(patient_id: str, ordered: str, **elements: object) -> Json:
    """An order-sign call without prefetch and without a FHIR server, unless `elements` bring them."""
    reasons = {"reasonCode": [{"text": "Low back pain"}]} if ordered == "MRI" else {}
    draft = order(ORDERS[ordered], subject={"reference": f"Patient/{patient_id}"}, **reasons)
    body = hook_call(draft, **{"prefetch": None} | elements)  # type: ignore[arg-type]
    body["context"]["patientId"] = patient_id
    return body


def keys(answer: Json) -> list[str]:
    return [card["extension"]["lumbar-puncture-back-pain"]["card"] for card in answer["cards"]]


def test_server_takes_every_fixture_but_those_that_are_no_valid_fhir(loaded: LoadedServer, notes: list[str]) -> None:
    assert loaded.refused == REFUSED[loaded.name]
    notes.append(f"{loaded.name} refused to store {sorted(loaded.refused) or 'nothing'}")


WAYS: dict[str, Callable[[LoadedServer, str], Json]] = {
    "without prefetch": lambda server, patient_id: {"fhirServer": server.client.base},
    "with the first pages of the server, and no patient": lambda server, patient_id: {
        "fhirServer": server.client.base,
        "prefetch": server.client.first_pages(patient_id),
    },
    "with prefetch without conditions": lambda server, patient_id: {
        "fhirServer": server.client.base,
        "prefetch": {key: value for key, value in prefetch_of(server.taken(patient_id)).items() if key != "conditions"},
    },
    "with complete prefetch from the server": lambda server, patient_id: {
        "prefetch": server.client.prefetch(patient_id)
    },
}


@pytest.mark.parametrize("way", [pytest.param(way, id=name) for name, way in WAYS.items()])
@pytest.mark.parametrize(
    ("patient_id", "ordered", "expected"), [pytest.param(*one, id=f"{one[0]}, {one[1]} ordered") for one in STORIES]
)
def test_answer_is_that_of_complete_prefetch_from_the_file(
    loaded: LoadedServer,
    that_day: ClockedService,
    patient_id: str,
    ordered: str,
    expected: list[str],
    way: Callable[[LoadedServer, str], Json],
) -> None:
    service = FhirClient(that_day.address)
    told = service.call(call_about(patient_id, ordered, prefetch=prefetch_of(loaded.taken(patient_id))))
    assert keys(told) == expected
    assert service.call(call_about(patient_id, ordered, **way(loaded, patient_id))) == told


@pytest.mark.parametrize(
    ("patient_id", "ordered", "expected"), [pytest.param(*one, id=f"{one[0]}, {one[1]} ordered") for one in STORIES]
)
def test_embedded_server_gives_the_answer_of_complete_prefetch_from_the_file(
    that_day: ClockedService, patient_id: str, ordered: str, expected: list[str]
) -> None:
    """The sandbox's own server holds all of each file, what HAPI refuses included."""
    service, embedded = FhirClient(that_day.address), FhirClient(f"{that_day.address}/sandbox/fhir")
    told = service.call(call_about(patient_id, ordered, prefetch=prefetch_of(fixture_entries(patient_id))))
    assert keys(told) == expected
    for way in ({"fhirServer": embedded.base}, {"prefetch": embedded.prefetch(patient_id)}):
        assert service.call(call_about(patient_id, ordered, **way)) == told
