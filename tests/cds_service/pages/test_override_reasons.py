"""The override reasons as FHIR R4: valid, complete, and those that the cards offer."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.conceptmap import ConceptMap
from fhir.resources.R4B.valueset import ValueSet
from flask.testing import FlaskClient

from cards.topic import Topic
from cds_service.pages.override_reasons import override_reason_resources
from tests.charts import cards_of, condition, hook_call, prefetch

MODELS = {"CodeSystem": CodeSystem, "ConceptMap": ConceptMap, "ValueSet": ValueSet}
HL7 = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
NAME = "lumbar-puncture-back-pain.override-reasons"


def read(client: FlaskClient, path: str) -> dict[str, Any]:
    response = client.get(f"/fhir/{path}")
    assert (response.status_code, response.mimetype) == (200, "application/fhir+json")
    return response.get_json(force=True)


def test_every_resource_is_valid_fhir_r4_and_served(client: FlaskClient, topic: Topic) -> None:
    resources = override_reason_resources(topic)
    assert len(resources) == 2 + len(topic.service.cards)
    for resource in resources:
        MODELS[resource["resourceType"]].model_validate(resource)
        assert read(client, f"{resource['resourceType']}/{resource['id']}") == resource


def test_the_canonical_urls_are_all_different(topic: Topic) -> None:
    urls = [resource["url"] for resource in override_reason_resources(topic)]
    assert all(url.startswith("urn:uuid:") for url in urls)
    assert len(set(urls)) == len(urls)


def test_every_code_is_mapped_to_hl7(client: FlaskClient) -> None:
    system = read(client, f"CodeSystem/{NAME}")
    (group,) = read(client, f"ConceptMap/{NAME}")["group"]
    assert (group["source"], group["target"]) == (system["url"], HL7)
    assert [element["code"] for element in group["element"]] == [concept["code"] for concept in system["concept"]]
    assert all(len(element["target"]) == 1 for element in group["element"])


def test_a_card_offers_its_value_set(client: FlaskClient) -> None:
    system = read(client, f"CodeSystem/{NAME}")["url"]
    for key, card in cards_of(client, hook_call(prefetch=prefetch(condition()))).items():
        (include,) = read(client, f"ValueSet/lumbar-puncture-back-pain.{key}")["compose"]["include"]
        assert include["system"] == system
        expected = [{"system": system, **concept} for concept in include["concept"]]
        assert card["overrideReasons"] == expected
        assert 3 <= len(expected) <= 5


def test_red_flags_offer_only_that_somebody_acted_or_that_the_chart_is_wrong(topic: Topic) -> None:
    offered = topic.service.cards["red-flags"].override_reasons
    assert set(offered) == {"emergency-under-way", "specialist-consulted", "already-evaluated", "chart-wrong"}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("CodeSystem/unheard-of", id="an unknown id"),
        pytest.param(f"Patient/{NAME}", id="another resource type"),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    assert client.get(f"/fhir/{path}").status_code == 404
