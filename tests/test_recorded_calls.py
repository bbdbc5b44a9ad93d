"""Every recorded call of the reference client and of HealthChain, replayed byte for byte with its token and headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.golden_answers import Golden
from tests.places import FIXTURES

CALLS = sorted(path for path in (FIXTURES / "recorded_calls").glob("*.json") if path.name != "index.json")


def replay(client: FlaskClient, recorded: dict[str, Any]) -> TestResponse:
    """Send the request as it was sent: its headers, and its body in the bytes that went over the wire."""
    request = recorded["request"]
    headers = {name: text for name, text in request["headers"].items() if name not in ("Host", "Content-Length")}
    body = None
    if "body" in request:
        separators = (",", ":") if request.get("bodyIsCompactJson") else None
        body = json.dumps(request["body"], separators=separators, ensure_ascii=False).encode()
    return client.open(request["path"], method=request["method"], headers=headers, data=body)


def serve_lab_patients(server: FakeFhirServer) -> None:
    """Put the laboratory's patients on the FHIR server the calls name: searches whole, and in pages of 20."""
    for path in (FIXTURES / "patients").glob("*.json"):
        resources = [entry["resource"] for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]]
        patient = next(resource for resource in resources if resource["resourceType"] == "Patient")
        server.answers[f"Patient/{patient['id']}"] = patient
        for resource_type in ("Condition", "Procedure"):
            found = [{"resource": one} for one in resources if one["resourceType"] == resource_type]
            whole = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": found}
            server.answers[f"{resource_type}?patient={patient['id']}&_count=500"] = whole
            search = f"{resource_type}?patient={quote('Patient/' + patient['id'], safe='')}&_count=20&_offset="
            for offset in range(0, len(found), 20):
                links = (
                    [{"relation": "next", "url": f"{BASE}/{search}{offset + 20}"}] if offset + 20 < len(found) else []
                )
                server.answers[f"{search}{offset}"] = whole | {"entry": found[offset : offset + 20], "link": links}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CALLS])
def test_recorded_call_gets_the_answer_a_person_has_read(
    path: Path, client: FlaskClient, fhir_server: FakeFhirServer, golden: Golden
) -> None:
    serve_lab_patients(fhir_server)
    golden.check(path.stem, replay(client, json.loads(path.read_text(encoding="utf-8"))))


def test_the_first_page_and_all_pages_give_the_same_cards(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """Calls 21 and 22 are of one patient: 20 of 200 conditions with a `next` link, and all of them at once (R-2.85)."""
    serve_lab_patients(fhir_server)
    answers = []
    for name in ("21-order-select-lp-many-first-page", "22-order-select-lp-many-all-pages"):
        recorded = json.loads((FIXTURES / "recorded_calls" / f"{name}.json").read_text(encoding="utf-8"))
        cards = replay(client, recorded).get_json()["cards"]
        answers.append([(card["summary"], card["detail"], card["links"]) for card in cards])
    assert answers[0] == answers[1]
    assert len(fhir_server.requests) == 9 + 1  # pages 2 to 10 of the conditions, page 2 of the procedures
