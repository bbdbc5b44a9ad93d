"""The specification's own request examples, and their twins about a lumbar puncture, in the words of our fixtures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.charts import key_of
from tests.fake_fhir_server import FakeFhirServer
from tests.places import FIXTURES

FOLDER = FIXTURES / "spec_examples"
EXAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@pytest.mark.parametrize("example", [pytest.param(example, id=name) for name, example in EXAMPLES.items()])
def test_specification_example(example: dict[str, Any], client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """Each fixture says in `about` what it shows and in `why` which rule decides."""
    response = client.post(example["path"], json=example["request"])
    body = response.get_json()
    assert response.status_code == example["expect"]["status"], example["expect"]["why"]
    if response.status_code == 200:
        keys = [key_of(card, example["request"]["hookInstance"]) for card in body["cards"]]
        assert keys == example["expect"]["cards"], example["expect"]["why"]
    else:
        assert body["resourceType"] == "OperationOutcome"
        assert body["issue"][0]["diagnostics"]
    if not body.get("cards"):
        assert fhir_server.requests == []  # what is not ours, and what is wrong, calls no server
