"""Reading FHIR JSON tolerantly: what cannot be fixed is left out and named, the rest is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.fhir.resources import ChartResource, CodeableConcept, Condition, Period, Procedure
from cards.fhir.tolerant_reading import ABSENT, Reader, Unreadable, read_elements

few = settings(max_examples=100, deadline=None)
CONCEPT = Reader(CodeableConcept)
RESOURCE = Reader(ChartResource)

FIELDS = [
    "resourceType", "id", "status", "clinicalStatus", "verificationStatus", "code", "subject", "patient",
    "onsetDateTime",
    "onsetPeriod", "abatementDateTime", "abatementPeriod", "abatementBoolean", "abatementString", "abatementAge",
    "abatementRange", "recordedDate", "assertedDate", "dateRecorded", "note", "extension",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coding", "code", "text", "system", "concept", "start", "reference"]), inner)
    ),
    max_leaves=8,
)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("given_json", "codes", "text", "notes"),
    [
        pytest.param({"coding": [{"code": "1"}], "text": "x"}, ["1"], "x", (), id="as FHIR has it"),
        pytest.param({"coding": {"code": "1"}}, ["1"], None, (), id="an object where a list belongs"),
        pytest.param([{"coding": [{"code": "1"}]}], ["1"], None, (), id="a list of one where an object belongs"),
        pytest.param({"text": ["x"]}, [], "x", (), id="a list of one where a string belongs"),
        pytest.param({"coding": [{"code": 62270}]}, ["62270"], None, (), id="a number where a code belongs"),
        pytest.param({"coding": [{"code": "1"}, 7]}, ["1"], None, ("coding[1]",), id="a number among the codings"),
        pytest.param(
            {"coding": [{"code": {}}, {"code": "2"}]}, [None, "2"], None, ("coding[0].code",), id="an object for a code"
        ),
        pytest.param({"coding": [{"code": True}]}, [None], None, ("coding[0].code",), id="a boolean for a code"),
        pytest.param({"coding": [{"code": 1.5}]}, [None], None, ("coding[0].code",), id="a decimal for a code"),
        pytest.param({"text": {"div": "x"}}, [], None, ("text",), id="an object for a string"),
        pytest.param({"text": ["x", "y"]}, [], None, ("text",), id="a list of two for a string"),
        pytest.param({"coding": None, "text": "x"}, [], "x", (), id="null for a list"),
        pytest.param({"unknown": {"deep": [1]}, "text": "x"}, [], "x", (), id="elements we do not ask for"),
        pytest.param({}, [], None, (), id="nothing"),
    ],
)
def test_an_odd_element_is_mended_or_left_out_by_name(
    given_json: Any, codes: list[str | None], text: str | None, notes: tuple[str, ...]
) -> None:
    concept, noted = CONCEPT.read(encoded(given_json))
    assert [coding.code for coding in concept.coding] == codes
    assert concept.text == text
    assert noted == notes


@pytest.mark.parametrize(
    ("given_json", "value"),
    [
        pytest.param(True, True, id="true"),
        pytest.param("true", True, id="true as a string"),
        pytest.param(["false"], False, id="false in a list of one"),
        pytest.param("yes", None, id="yes is not a boolean"),
        pytest.param(1, None, id="one is not a boolean"),
        pytest.param({}, None, id="nor is an object"),
    ],
)
def test_a_boolean_may_be_a_string(given_json: Any, value: bool | None) -> None:
    resource, _ = RESOURCE.read(encoded({"notDone": given_json}))
    assert read_elements(resource, Procedure).not_done is value


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"not json", id="words"),
        pytest.param(b'{"text": NaN}', id="not a number"),
        pytest.param(b'{"text": "x"} more', id="more after the end"),
        pytest.param(b"\xff\xfe", id="bytes that are no text"),
        pytest.param(b'{"text": "\xff"}', id="a string that is not UTF-8"),
        pytest.param(b'{"text": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="a hundred thousand levels"),
        pytest.param(b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="a hundred thousand levels further down"),
        pytest.param(b'{"coding": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="levels beside something odd"),
        pytest.param(b"null", id="null"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"[]", id="an empty list"),
        pytest.param(b"[{}, {}]", id="a list of two"),
        pytest.param(b'{"coding": 1, "text": "\xff"}', id="not UTF-8 beside something odd"),
        pytest.param(b'{"coding": 1, "x": "\xff"}', id="not UTF-8 further down"),
    ],
)
def test_what_has_not_even_the_outermost_shape_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        CONCEPT.read(raw)


def test_the_message_never_holds_what_stood_in_the_chart() -> None:
    for raw in (b"[7, 4711]", b'{"text": "Jane Roe" ', b'"Jane Roe 4711"'):
        with pytest.raises(Unreadable) as refused:
            CONCEPT.read(raw)
        assert "Jane" not in str(refused.value)
        assert "4711" not in str(refused.value)


def test_elements_of_a_resource_are_read_one_by_one() -> None:
    resource, notes = RESOURCE.read(
        encoded({"onsetDateTime": {"odd": 1}, "onsetPeriod": {"start": "2020", "end": 7}, "clinicalStatus": ["active"]})
    )
    condition = read_elements(resource, Condition)
    assert notes == ()
    assert condition.onset_date_time is None
    assert condition.onset_period == Period("2020", "7")
    assert condition.clinical_status == "active"
    assert condition.recorded_date is None


def test_an_element_that_is_not_there_is_told_from_one_that_is_null() -> None:
    resource, _ = RESOURCE.read(b'{"abatementAge": null}')
    assert resource.abatement_age is not ABSENT
    assert resource.abatement_range is ABSENT


@few
@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_any_value_in_any_field_of_a_condition_is_read_or_unreadable(fields: dict[str, Any]) -> None:
    resource, notes = RESOURCE.read(encoded(fields))
    assert {note.split(".")[0].split("[")[0] for note in notes} <= set(fields)
    read_elements(resource, Condition)


@few
@given(json_values | st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")))
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    try:
        concept, _ = CONCEPT.read(encoded(value))
    except Unreadable:
        assert not isinstance(value, dict)
    else:
        assert isinstance(concept, CodeableConcept)


@few
@given(st.sampled_from(FIELDS), json_values)
def test_one_odd_field_never_costs_the_others(name: str, value: Any) -> None:
    sound = {"resourceType": "Condition", "id": "c1", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
    resource, _ = RESOURCE.read(encoded(sound | {name: value}))
    expected, _ = RESOURCE.read(encoded(sound))
    kept = [("resourceType", "resource_type"), ("id", "id"), ("code", "code"), ("subject", "subject")]
    for element, field in kept:
        assert element == name or getattr(resource, field) == getattr(expected, field)
