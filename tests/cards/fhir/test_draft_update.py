"""The update of a draft: every value of the client's own draft untouched, plus our one element."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cards.fhir.draft_orders import DraftOrder, read_draft_orders
from cards.fhir.draft_update import with_patient_instruction
from tests.charts import LUMBAR_PUNCTURE, order

OURS = "A sore back is common; “get help” if your legs go weak."
R4 = order(intent="order")
R5 = order({"concept": LUMBAR_PUNCTURE})
STU3 = order(resourceType="ProcedureRequest")
DSTU2 = {"resourceType": "ProcedureRequest", "id": "order-1", "status": "draft", "code": LUMBAR_PUNCTURE}
VERSIONS = [
    pytest.param(R4, "patientInstruction", OURS, id="R4"),
    pytest.param(R5, "patientInstruction", [{"instructionMarkdown": OURS}], id="R5"),
    pytest.param(STU3, "note", [{"text": OURS}], id="STU3"),
    pytest.param(DSTU2, "notes", [{"text": OURS}], id="DSTU2"),
]
few = settings(max_examples=100, deadline=None)


def drafted(resource: bytes) -> DraftOrder:
    (draft,) = read_draft_orders(b'{"resourceType": "Bundle", "entry": [{"resource": ' + resource + b"}]}", None)
    return draft


def update(resource: Any) -> Any:
    """The draft with our instruction, decimals as they were written; None where there is no update."""
    updated = with_patient_instruction(drafted(json.dumps(resource).encode()), OURS)
    return None if updated is None else json.loads(updated, parse_float=str)


@pytest.mark.parametrize(("draft", "element", "value"), VERSIONS)
def test_the_instruction_is_written_in_the_version_of_the_draft(draft: Any, element: str, value: Any) -> None:
    """R-4.48: the whole resource, with its id."""
    assert update(draft) == draft | {element: value}


@pytest.mark.parametrize(("draft", "element", "value"), VERSIONS)
def test_a_draft_that_holds_the_instruction_already_is_left_alone(draft: Any, element: str, value: Any) -> None:
    assert update(update(draft)) is None


@pytest.mark.parametrize(
    ("draft", "there", "expected"),
    [
        pytest.param(R4, {"patientInstruction": "Fast."}, {"patientInstruction": f"Fast.\n\n{OURS}"}, id="R4"),
        pytest.param(R4, {"patientInstruction": ""}, {"patientInstruction": OURS}, id="R4 with an empty text"),
        pytest.param(R4, {"patientInstruction": None}, {"patientInstruction": OURS}, id="R4 with null"),
        pytest.param(
            R5,
            {"patientInstruction": [{"instructionReference": {"reference": "DocumentReference/1"}}]},
            {
                "patientInstruction": [
                    {"instructionReference": {"reference": "DocumentReference/1"}},
                    {"instructionMarkdown": OURS},
                ]
            },
            id="R5",
        ),
        pytest.param(
            STU3,
            {"note": [{"text": "Fast.", "time": "2026-11-22"}]},
            {"note": [{"text": "Fast.", "time": "2026-11-22"}, {"text": OURS}]},
            id="STU3",
        ),
        pytest.param(DSTU2, {"notes": [{"text": "Fast."}]}, {"notes": [{"text": "Fast."}, {"text": OURS}]}, id="DSTU2"),
    ],
)
def test_what_stands_there_already_is_kept_and_comes_first(draft: Any, there: Any, expected: Any) -> None:
    assert update(draft | there) == draft | expected


@pytest.mark.parametrize(
    "draft",
    [
        pytest.param(order(id=None), id="no id to update by"),
        pytest.param(R4 | {"patientInstruction": [{"instructionMarkdown": "x"}]}, id="R5's list in an R4 draft"),
        pytest.param(R4 | {"patientInstruction": 7}, id="a number in an R4 draft"),
        pytest.param(R5 | {"patientInstruction": "Fast."}, id="R4's text in an R5 draft"),
        pytest.param(STU3 | {"note": {"text": "x"}}, id="an object for STU3's list"),
        pytest.param(STU3 | {"note": ["x"]}, id="texts for STU3's annotations"),
        pytest.param(STU3 | {"note": [{"text": 7}]} | {"note": 1}, id="a number for STU3's list"),
        pytest.param(DSTU2 | {"notes": "x"}, id="a text for DSTU2's list"),
    ],
)
def test_where_no_update_is_safe_there_is_none(draft: Any) -> None:
    assert update(draft) is None


EXOTIC = (
    b'"quantityQuantity":{"value":1.10,"x":1e-7,"y":100000000000000000000.0,"z":-0.0,"n":123456789012345678901},'
    b'"text":{"div":"<div>\\u00e9\\/ \\ud83d\\ude00</div>"},"extension":[],"empty":"","none":null,"_status":{"id":"s"},'
    b'"priority" : "routine"'
)


@pytest.mark.parametrize(("draft", "element", "value"), VERSIONS)
def test_decimals_keep_their_digits_and_every_other_value_its_spelling(draft: Any, element: str, value: Any) -> None:
    """design.md 4: the client's own draft, byte for byte in its values."""
    raw = json.dumps(draft).encode()[:-1] + b"," + EXOTIC + b"}"
    updated = with_patient_instruction(drafted(raw), OURS)
    assert updated is not None
    assert b"1.10" in updated
    assert json.loads(updated, parse_float=str) == json.loads(raw, parse_float=str) | {element: value}


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(b'{"resourceType": "Bundle", "total": "1", "entry": [{"resource": %s}]}', id="an odd total"),
        pytest.param(b'{"resourceType": "Bundle", "entry": [{"fullUrl": {}, "resource": %s}]}', id="an odd fullUrl"),
        pytest.param(b'{"resourceType": "Bundle", "entry": {"resource": %s}}', id="one entry without its list"),
    ],
)
def test_decimals_keep_their_digits_in_a_bundle_that_had_to_be_mended(bundle: bytes) -> None:
    raw = json.dumps(R4).encode()[:-1] + b"," + EXOTIC + b"}"
    (draft,) = read_draft_orders(bundle % raw, None)
    updated = with_patient_instruction(draft, OURS)
    assert updated is not None
    assert json.loads(updated, parse_float=str) == json.loads(raw, parse_float=str) | {"patientInstruction": OURS}


names = st.sampled_from(["a", "b", "quantity", "extension", "reasonText", "ü", "", "x" * 40])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),  # decimals have a test of their own
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@few
@given(st.sampled_from([R4, R5, STU3, DSTU2]), st.dictionaries(names, values), st.booleans())
def test_whatever_a_draft_holds_is_unchanged(draft: dict[str, Any], more: dict[str, Any], ascii_only: bool) -> None:
    raw = json.dumps(draft | more, ensure_ascii=ascii_only).encode()
    updated = with_patient_instruction(drafted(raw), OURS)
    assert updated is not None
    before, after = (json.loads(one, parse_float=str) for one in (raw, updated))
    added = [name for name in after if name not in before]
    assert len(added) == 1
    assert {name: value for name, value in after.items() if name not in added} == before


@few
@example("1.10")
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,9})\.[0-9]{1,12}([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_whatever_digits_a_decimal_has_they_are_unchanged(decimal: str) -> None:
    raw = json.dumps(R4).encode()[:-1] + b',"quantityQuantity":{"value":' + decimal.encode() + b"}}"
    updated = with_patient_instruction(drafted(raw), OURS)
    assert updated is not None
    assert json.loads(updated, parse_float=str)["quantityQuantity"]["value"] == decimal
