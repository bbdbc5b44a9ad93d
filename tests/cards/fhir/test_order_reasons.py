"""Why something is ordered: reasons in the order, in the session, and by reference, in every FHIR version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.fhir.draft_orders import condition_id, read_draft_orders
from tests.cards.fhir.drafts import diagnostic_order, ids, read, referral
from tests.charts import LUMBAR_PUNCTURE, condition, order

LUMBAGO = {"text": "Lumbago"}
HELD = {"resourceType": "Condition", "id": "c1", "code": LUMBAGO}


@pytest.mark.parametrize(
    ("draft", "reasons", "references"),
    [
        pytest.param(order(), [], [], id="no reason"),
        pytest.param(order(reasonCode=[LUMBAGO, {"text": "Fall"}]), ["Lumbago", "Fall"], [], id="R4 reasonCode"),
        pytest.param(order(reasonCode=LUMBAGO), ["Lumbago"], [], id="R4 reasonCode without its list"),
        pytest.param(order(reasonCode=[{}, {"coding": [{}]}, 7]), [], [], id="R4 reasonCode that says nothing"),
        pytest.param(
            order(contained=[HELD], reasonReference=[{"reference": "#c1"}]), ["Lumbago"], [], id="a contained Condition"
        ),
        pytest.param(
            order(contained=[7, None, {}, HELD], reasonReference=[{"reference": "#c1"}]),
            ["Lumbago"],
            [],
            id="a contained Condition among junk",
        ),
        pytest.param(
            order(contained=[HELD], reasonReference=[{"reference": "#c2"}]), [], ["#c2"], id="one that is not contained"
        ),
        pytest.param(
            order(reasonReference=[{"reference": "Condition/c9"}, {"display": "x"}, {"reference": ""}]),
            [],
            ["Condition/c9"],
            id="a Condition elsewhere, beside references to nothing",
        ),
        pytest.param(
            order(reasonCode=[LUMBAGO], reasonReference=[{"reference": "Condition/c9"}]),
            ["Lumbago"],
            ["Condition/c9"],
            id="a code and a reference",
        ),
        pytest.param(
            order({"concept": LUMBAR_PUNCTURE}, reason=[{"concept": LUMBAGO}]), ["Lumbago"], [], id="R5 reason"
        ),
        pytest.param(
            order({"concept": LUMBAR_PUNCTURE}, reason=[{"reference": {"reference": "Condition/c9"}}]),
            [],
            ["Condition/c9"],
            id="R5 reason by reference",
        ),
        pytest.param(
            order({"concept": LUMBAR_PUNCTURE}, contained=[HELD], reason=[{"reference": {"reference": "#c1"}}]),
            ["Lumbago"],
            [],
            id="R5 reason that is contained",
        ),
        pytest.param(
            order(resourceType="ProcedureRequest", reasonCode=[LUMBAGO]), ["Lumbago"], [], id="STU3 reasonCode"
        ),
        pytest.param(referral(intent="order", reasonCode=[LUMBAGO]), ["Lumbago"], [], id="STU3 ReferralRequest"),
        pytest.param(
            order(resourceType="ProcedureRequest", intent=None, reasonCodeableConcept=LUMBAGO),
            ["Lumbago"],
            [],
            id="DSTU2 reasonCodeableConcept",
        ),
        pytest.param(
            order(resourceType="ProcedureRequest", intent=None, reasonReference={"reference": "Condition/c9"}),
            [],
            ["Condition/c9"],
            id="DSTU2 reasonReference",
        ),
        pytest.param(referral(reason=LUMBAGO), ["Lumbago"], [], id="DSTU2 ReferralRequest"),
        pytest.param(
            diagnostic_order(reason=[LUMBAGO, {"text": "Fall"}]), ["Lumbago", "Fall"], [], id="DSTU2 DiagnosticOrder"
        ),
    ],
)
def test_why_something_is_ordered_is_read_in_every_version(
    draft: Any, reasons: list[str], references: list[str]
) -> None:
    """design.md 5; https://hl7.org/fhir/R5/servicerequest.html and the pages of its forerunners."""
    (found,) = read(draft)
    assert [reason.text for reason in found.reasons] == reasons
    assert list(found.reason_references) == references


@pytest.mark.parametrize(
    ("reference", "held"),
    [
        pytest.param("Condition/c1", True, id="by Type and id"),
        pytest.param("urn:uuid:1b", True, id="by fullUrl"),
        pytest.param("Condition/c2", False, id="another id"),
        pytest.param("Observation/c1", False, id="another type"),
    ],
)
def test_a_reason_that_stands_among_the_drafts_is_told_there(reference: str, held: bool) -> None:
    entry = [
        {"resource": order(reasonReference=[{"reference": reference}])},
        {"fullUrl": "urn:uuid:1b", "resource": HELD},
    ]
    (found,) = read_draft_orders(json.dumps({"resourceType": "Bundle", "entry": entry}).encode(), None)
    assert [reason.text for reason in found.reasons] == (["Lumbago"] if held else [])
    assert found.reason_references == (() if held else (reference,))


def test_a_condition_among_the_drafts_is_no_order() -> None:
    assert ids(read(condition(), order())) == ["order-1"]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        pytest.param("Condition/c1", "c1", id="relative"),
        pytest.param(" Condition/c1 ", "c1", id="with blanks"),
        pytest.param("https://fhir.example.org/r4/Condition/c1", "c1", id="absolute"),
        pytest.param("Condition/c1/_history/2", "c1", id="a version"),
        pytest.param("Observation/c1", None, id="another type"),
        pytest.param("XCondition/c1", None, id="a type that only ends alike"),
        pytest.param("Condition/c1/extra", None, id="a longer path"),
        pytest.param("Condition/../Patient/1", None, id="a path that climbs"),
        pytest.param("Condition/c1?x=1", None, id="a query"),
        pytest.param("Condition/" + "c" * 65, None, id="an id longer than FHIR allows"),
        pytest.param("Condition?identifier=1", None, id="a conditional reference"),
        pytest.param("#c1", None, id="a contained resource"),
        pytest.param("urn:uuid:1b", None, id="a urn"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_only_a_reference_to_a_condition_has_the_id_of_one(reference: str, found: str | None) -> None:
    """design.md 6: what is looked up is one Condition below the FHIR base, and nothing else."""
    assert condition_id(reference) == found
