"""Charts as other systems made them: a lumbar puncture is ordered for each of these patients, prefetch on and off.

The data stays outside the repository (its license and size); where it is absent these tests say so and are skipped.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.charts import CPT, SNOMED, Json, cards_of, coded, hook_call, order, procedure, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.places import SHARED_DATA

pytestmark = pytest.mark.skipif(not SHARED_DATA.exists(), reason="the sample charts are not beside this checkout")

# What a person found when reading each chart; nothing else in it may contribute to back pain.
CHARTS = {
    "DSTU2/ahrq-pain-management": [
        "Lumbar spinal surgery",
        "Earlier back pain",
        "Fibromyalgia",
    ],
    "DSTU2/nest-patient": [],
    "DSTU2/smart-1627321": ["Lumbar disc displacement", "Earlier back pain", "Earlier leg pain"],
    "R4/adan-portillo": [],  # osteoporosis and a fracture at a site that is not named: off by default
    "R4/cary-ohara": ["Spinal cord or nerve injury", "Chronic pain"],
    "R4/casimira-nicolas": [],  # a whiplash, long resolved; epidural anesthesia is not a lumbar puncture
    "R4/juliette-padberg": [],
    "R4/luigi-wiegand": [],
    "STU3/moen-ben": ["Chronic pain", "Vertebral fracture"],  # the fracture is `active` and has abated
    "STU3/proms-1": [],
    "STU3/smart-1272431": ["Earlier back pain"],
    "STU3/smart-1520204": ["Earlier back pain"],
    "STU3/smart-1627321": ["Lumbar disc displacement", "Earlier back pain", "Earlier leg pain"],
}
WITH_BACK_PAIN = {  # active today
    "DSTU2/ahrq-pain-management",
    "DSTU2/smart-1627321",
    "STU3/smart-1272431",
    "STU3/smart-1520204",
    "STU3/smart-1627321",
}
CHILDREN = {"R4/luigi-wiegand"}  # six years old: no card, for every rate on the cards is one of adults
ASK_DAYS = 90  # later, an image without a reason in a chart without a complaint is silence
BULK_WITH_BACK_PAIN = 2  # of 13; its README names them

RESOURCE_TYPES = {"Condition": "conditions", "Procedure": "procedures"}


def read_chart(name: str) -> list[Json]:
    return json.loads((SHARED_DATA / "charts" / f"{name}.json").read_text(encoding="utf-8"))["entry"]


def read_bulk() -> dict[str, list[Json]]:
    charts: dict[str, list[Json]] = defaultdict(list)
    for resource_type in ("Patient", "Condition", "Procedure"):
        path = SHARED_DATA / "bulk-10-patients" / f"{resource_type}.000.ndjson"
        for line in path.read_text(encoding="utf-8").splitlines():
            resource = json.loads(line)
            patient = resource["id"] if resource_type == "Patient" else resource["subject"]["reference"][8:]
            charts[patient].append({"resource": resource})
    return charts


def call_for(entries: list[Json], fhir_version: str) -> Json:
    """An order-sign call for a lumbar puncture of the chart's patient, in the FHIR version of the chart."""
    patient = next(one["resource"] for one in entries if one["resource"]["resourceType"] == "Patient")
    draft = order(coded(SNOMED, "277762005"), subject={"reference": f"Patient/{patient['id']}"})
    if fhir_version != "R4":
        draft["resourceType"] = "ProcedureRequest"
    if fhir_version == "DSTU2":
        del draft["intent"]
    prefetch = {"patient": patient} | {
        key: {"resourceType": "Bundle", "type": "searchset", "entry": [one for one in entries if is_of(one, of)]}
        for of, key in RESOURCE_TYPES.items()
    }
    call = hook_call(draft, prefetch=prefetch)
    call["context"]["patientId"] = patient["id"]
    return call


def is_of(entry: Json, resource_type: str) -> bool:
    return entry["resource"]["resourceType"] == resource_type


def findings(cards: dict[str, Any]) -> list[str]:
    _, _, listed = cards.get("confounders", {}).get("detail", "").partition("**In this chart**")
    return re.findall(r"^- ([^,;]+)", listed, re.MULTILINE)


def without_prefetch(call: Json, server: FakeFhirServer) -> Json:
    """The same call with its data on the FHIR server instead."""
    patient_id = call["context"]["patientId"]
    prefetch = call.pop("prefetch")
    server.answers[f"Patient/{patient_id}"] = prefetch["patient"]
    for resource_type, key in RESOURCE_TYPES.items():
        server.answers[f"{resource_type}?patient={patient_id}&_count=500"] = prefetch[key]
    return call | {"fhirServer": BASE}


@pytest.mark.parametrize(("name", "expected"), [pytest.param(*chart, id=chart[0]) for chart in CHARTS.items()])
def test_chart_gives_what_a_person_found_in_it_with_and_without_prefetch(
    name: str, expected: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    call = call_for(read_chart(name), name.partition("/")[0])
    prefetched = cards_of(client, call)
    assert findings(prefetched) == expected
    assert ("what-to-expect" in prefetched) is (name not in CHILDREN)
    assert "hecked:" not in "".join(card["detail"] for card in prefetched.values())  # every entry could be read
    assert cards_of(client, without_prefetch(call, fhir_server)) == prefetched


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("days_ago", [5, 100])
def test_pain_of_a_real_chart_that_was_there_before_is_never_put_down_to_a_puncture(
    name: str, days_ago: int, client: FlaskClient
) -> None:
    """A lumbar puncture is added to the chart, and the spine is imaged: all pain in these charts began years ago."""
    call = call_for(read_chart(name), name.partition("/")[0])
    call["context"]["draftOrders"]["entry"][0]["resource"]["code"] = coded(CPT, "72148")
    subject = {"reference": f"Patient/{call['context']['patientId']}"}
    done = (date(2026, 11, 22) - timedelta(days=days_ago)).isoformat()
    puncture = procedure(coded(SNOMED, "277762005"), subject=subject, performedDateTime=done)
    call["prefetch"]["procedures"]["entry"].append({"resource": puncture})
    cards = cards_of(client, call)
    classes = {key: card["extension"]["lumbar-puncture-back-pain"]["class"] for key, card in cards.items()}
    if name in WITH_BACK_PAIN:
        assert classes == {"pain-after-puncture": "pre-existing"}
    elif name in CHILDREN or days_ago > ASK_DAYS:
        assert classes == {}
    else:
        assert classes == {"pain-after-puncture": "unknown"}


def test_the_same_person_in_stu3_and_dstu2_gets_the_same_findings(client: FlaskClient) -> None:
    twins = [
        cards_of(client, call_for(read_chart(f"{version}/smart-1627321"), version)) for version in ("STU3", "DSTU2")
    ]
    assert findings(twins[0]) == findings(twins[1])


def test_bulk_patients_without_a_spine_problem_get_no_confounders(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """13 patients, 555 conditions, 2,056 procedures: "Patient discharge" holds "disc" and is none."""
    found = []
    for entries in read_bulk().values():
        call = call_for(entries, "R4")
        prefetched = cards_of(client, call)
        assert "hecked:" not in "".join(card["detail"] for card in prefetched.values())
        assert cards_of(client, without_prefetch(call, fhir_server)) == prefetched
        found.append(findings(prefetched))
    assert [one for one in found if one] == [["Earlier back pain"]] * BULK_WITH_BACK_PAIN


def test_every_patient_in_one_bundle_is_refused(client: FlaskClient) -> None:
    """R-2.88: a search that ignored its patient is no chart of this patient."""
    charts = list(read_bulk().values())
    call = call_for(charts[0], "R4")
    everybody = [one["resource"] for chart in charts for one in chart if is_of(one, "Condition")]
    call["prefetch"]["conditions"] = searchset(*everybody)
    response = client.post("/cds-services/lumbar-puncture-back-pain", json=call)
    assert response.status_code == 400
    assert response.get_json()["issue"][0]["expression"] == ["prefetch.conditions"]
