"""HAPI FHIR's own ways: its pages, its OperationOutcomes, charts of another system on it, and `cds-service call`."""

from __future__ import annotations

import json
import os
import re
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.charts import Json, hook_call, order
from tests.interop.conftest import COMMAND, ClockedService
from tests.interop.fhir_client import FhirClient, fixture_entries, next_link, prefetch_of, without_strangers
from tests.interop.test_fhir_servers import ORDERS, call_about, keys
from tests.places import SHARED_DATA
from tests.test_real_charts import CHARTS, call_for, findings, is_of, read_bulk, read_chart

PAGE = 50  # HAPI gives no more at once, whatever `_count` asks for
PAIN = "lab-lp5mo-c1"
LAB = ("lab-many", "lab-lp5mo", "lab-stenosis")


@pytest.fixture(scope="module")
def server(hapi: str) -> FhirClient:
    client = FhirClient(hapi)
    for patient_id in LAB:
        client.put_each(fixture_entries(patient_id))
    return client


def details(answer: Json) -> str:
    return "\n".join(card["detail"] for card in answer["cards"])


def test_pages_are_smaller_than_asked_for_and_lead_on_by_a_link_to_the_base_itself(server: FhirClient) -> None:
    """R-2.85: neither the size of a page nor the form of a `next` link is ours to know."""
    pages = server.pages("Condition?patient=lab-many&_count=500")
    assert [len(page["entry"]) for page in pages] == [PAGE, PAGE, PAGE, 198 - 3 * PAGE]  # it refused two of 200
    link = urlsplit(next_link(pages[0]))
    assert f"{link.scheme}://{link.netloc}{link.path}" == server.base
    assert {"_getpages", "_getpagesoffset"} <= parse_qs(link.query).keys()


def test_page_that_the_server_has_forgotten_is_said_to_be_missing(server: FhirClient, that_day: ClockedService) -> None:
    """HAPI forgets searches; prefetch whose `next` link is too old is as much as there is, and the card says so."""
    pages = server.first_pages("lab-many")
    link = next(one for one in pages["conditions"]["link"] if one["relation"] == "next")
    link["url"] = re.sub("_getpages=[^&]+", "_getpages=00000000-0000-4000-8000-000000000000", link["url"])
    assert server.get(link["url"]).status_code in (404, 410)
    service = FhirClient(that_day.address)
    answer = service.call(call_about("lab-many", "puncture", fhirServer=server.base, prefetch=pages))
    assert "Not checked: some conditions" in details(answer)


def test_operation_outcomes_in_place_of_data_are_no_data(server: FhirClient, that_day: ClockedService) -> None:
    """R-2.84: as a client that passes on what its server said, here about a search parameter that there is not."""
    refusal = server.get("Condition?patient=lab-many&no-such-parameter=1")
    assert (refusal.status_code, refusal.json()["resourceType"]) == (400, "OperationOutcome")
    missing = server.get("Patient/nobody")
    assert (missing.status_code, missing.json()["resourceType"]) == (404, "OperationOutcome")
    prefetch = {"patient": missing.json(), "conditions": refusal.json(), "procedures": refusal.json()}
    answer = FhirClient(that_day.address).call(call_about("lab-many", "puncture", prefetch=prefetch))
    assert keys(answer) == ["what-to-expect"]
    assert "Not checked" in details(answer)


def test_patient_whom_the_server_does_not_know_has_an_empty_chart(server: FhirClient, that_day: ClockedService) -> None:
    """Patient 404, both searches empty and complete: nothing was found, and nothing is said to be unchecked."""
    answer = FhirClient(that_day.address).call(call_about("nobody", "puncture", fhirServer=server.base))
    assert keys(answer) == ["what-to-expect"]
    assert "Not checked" not in details(answer)


def test_reason_reference_is_looked_up_on_the_server(server: FhirClient, that_day: ClockedService) -> None:
    """A blood count is nobody's work-up of back pain, unless its reason is: a Condition that only the server has."""
    reference = {"reference": f"Condition/{PAIN}"}
    draft = order({"text": "Blood count"}, subject={"reference": "Patient/lab-lp5mo"}, reasonReference=[reference])
    body = hook_call(draft, prefetch=None, fhirServer=server.base)
    body["context"]["patientId"] = "lab-lp5mo"
    service = FhirClient(that_day.address)
    answer = service.call(body)
    assert keys(answer) == ["pain-after-puncture"]
    del body["fhirServer"]
    assert service.call(body | {"prefetch": prefetch_of(fixture_entries("lab-lp5mo"))}) == answer


R4 = [name for name in CHARTS if name.startswith("R4/")]
needs_charts = pytest.mark.skipif(not SHARED_DATA.exists(), reason="the sample charts are not beside this checkout")


@needs_charts
@pytest.mark.parametrize("name", R4)
def test_chart_of_another_system_gives_the_same_cards_from_the_server(
    name: str, server: FhirClient, that_day: ClockedService
) -> None:
    """Loaded as a transaction, in which HAPI turns every urn:uuid reference into one of its own."""
    entries = read_chart(name)
    server.put_together(entries)
    check_same_answers(call_for(entries, "R4"), server, FhirClient(that_day.address), CHARTS[name])


@needs_charts
def test_patients_of_a_bulk_export_give_the_same_cards_from_the_server(
    server: FhirClient, that_day: ClockedService, notes: list[str]
) -> None:
    """The two with back pain, and the one with the most procedures of those with fewer than a hundred."""
    charts = read_bulk()
    service = FhirClient(that_day.address)
    found = {patient_id: findings(by_key(service.call(call_for(one, "R4")))) for patient_id, one in charts.items()}
    short = [one for one in charts if not found[one] and count_procedures(charts[one]) < 2 * PAGE]
    chosen = [one for one in charts if found[one]] + sorted(short, key=lambda one: count_procedures(charts[one]))[-1:]
    for patient_id in chosen:
        assert not server.put_each(without_strangers(charts[patient_id], set()))
        check_same_answers(call_for(charts[patient_id], "R4"), server, service, found[patient_id])
    notes.append(f"bulk export on HAPI FHIR: {len(chosen)} of {len(charts)} patients")


def check_same_answers(call: Json, server: FhirClient, service: FhirClient, expected: list[str]) -> None:
    told = service.call(call)
    assert findings(by_key(told)) == expected
    patient_id, prefetch = call["context"]["patientId"], call.pop("prefetch")
    assert service.call(call | {"fhirServer": server.base}) == told
    first_pages = server.first_pages(patient_id)
    assert service.call(call | {"fhirServer": server.base, "prefetch": first_pages}) == told
    assert service.call(call | {"prefetch": server.prefetch(patient_id) | {"patient": prefetch["patient"]}}) == told


def by_key(answer: Json) -> dict[str, Json]:
    return dict(zip(keys(answer), answer["cards"], strict=True))


def count_procedures(entries: list[Json]) -> int:
    return sum(is_of(one, "Procedure") for one in entries)


@pytest.mark.parametrize(
    ("patient_id", "ordered"), [("lab-many", "puncture"), ("lab-lp5mo", "MRI"), ("lab-stenosis", "puncture")]
)
def test_installed_command_serves_the_same_cards_with_and_without_prefetch(
    patient_id: str, ordered: str, server: FhirClient, served: str
) -> None:
    """`cds-service serve` as it is installed, on the clock of this machine."""
    service = FhirClient(served)
    told = service.call(call_about(patient_id, ordered, prefetch=server.prefetch(patient_id)))
    assert told["cards"]
    assert service.call(call_about(patient_id, ordered, fhirServer=server.base)) == told


CALLS = {
    "complete prefetch": [],
    "no prefetch": ["--no-prefetch"],
    "first pages": ["--pages", "first"],
    "without conditions": ["--partial", "conditions"],
}


def test_cds_service_call_gets_the_same_cards_however_it_fills_prefetch(server: FhirClient, served: str) -> None:
    """Each call has a hookInstance of its own, so the ids of cards and suggestions differ; nothing else may."""
    assert (
        server.get("metadata").json()["fhirVersion"] == "4.0.1"
    )  # the first time it takes longer than a command waits
    answers = {name: json.loads(run_call(server, served, *options)) for name, options in CALLS.items()}
    told = [without_ids(one) for one in answers.values()]
    assert keys(told[0]) == ["what-to-expect", "confounders"]
    assert all(one == told[0] for one in told)
    assert "exceedingly rare" in run_call(server, served, as_json=False)


def run_call(server: FhirClient, served: str, *options: str, as_json: bool = True) -> str:
    ordered = ORDERS["puncture"]["coding"][0]
    command = [COMMAND, "call", "--service", served, "--fhir", server.base, "--patient", "lab-many", "--timeout", "120"]
    command += ["--order", f"{ordered['system']}|{ordered['code']}", *options, *(["--json"] if as_json else [])]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environment | {"COLUMNS": "200"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_ids(value: object) -> Json:
    """The value without any `uuid` in it, at any depth."""
    if isinstance(value, list):
        return [without_ids(one) for one in value]  # type: ignore[return-value]
    if not isinstance(value, dict):
        return value  # type: ignore[return-value]
    return {name: without_ids(one) for name, one in value.items() if name != "uuid"}
