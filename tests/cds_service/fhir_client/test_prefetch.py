"""How a prefetch value is classified, and what the cards then say (R-2.80 to R-2.90, R-3.13)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.fhir_client.prefetch import State, fill_template, sort_value
from tests.charts import ASTHMA, SERVICE, Json, cards_of, condition, hook_call, patient, procedure, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer

OUTCOME: Json = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
NEXT = [{"relation": "self", "url": f"{BASE}/Condition"}, {"relation": "next", "url": f"{BASE}/Condition?page=2"}]
SEARCH = "Condition?patient=pat-1&_count=500"
NOT_CHECKED = "Problem list not available"
ONLY_A_PART = "Not checked: some conditions"
GARBLED = b'{"resourceType": "Condition", "code": 5, "note": "\xff"}'


def sorted_as(value: Any) -> tuple[State, list[str | None]]:
    """The state of a value, and the id of each entry; None is an entry that could not be read."""
    result = sort_value(json.dumps(value).encode())
    return result.state, [entry.resource.id if entry and entry.resource else None for entry in result.entries]


def call_with(conditions: Any, **envelope: Any) -> Json:
    """A call with this value for the conditions, all else satisfied, and a FHIR server that could be asked."""
    values = {"patient": patient(), "conditions": conditions, "procedures": searchset()}
    return hook_call(prefetch=values, fhirServer=BASE, **envelope)


def note_on_conditions(cards: dict[str, Json]) -> str | None:
    """What the cards say about conditions that were not read: the same in each card, or None."""
    pattern = re.compile("Problem list not available|Not checked: .*")
    notes = {"\n".join(pattern.findall(f"{card['summary']}\n{card['detail']}")) for card in cards.values()}
    assert len(notes) == 1, "each card says the same about what was not read"
    return notes.pop() or None


@pytest.mark.parametrize(
    ("value", "state", "ids"),
    [
        pytest.param(searchset(condition()), State.SATISFIED, ["condition-1"], id="a searchset with an entry"),
        pytest.param(searchset(condition(), total=1), State.SATISFIED, ["condition-1"], id="as many entries as total"),
        pytest.param(searchset(condition(), total=0), State.SATISFIED, ["condition-1"], id="more entries than total"),
        pytest.param(searchset(condition(), link=NEXT[:1]), State.SATISFIED, ["condition-1"], id="a self link alone"),
        pytest.param(patient(), State.SATISFIED, ["pat-1"], id="a read"),
        pytest.param(None, State.EMPTY, [], id="null"),
        pytest.param({"resourceType": "Bundle", "type": "searchset"}, State.EMPTY, [], id="a searchset without entry"),
        pytest.param(searchset(total=0), State.EMPTY, [], id="a searchset with an empty list of entries"),
        pytest.param([], State.EMPTY, [], id="an empty list"),
        pytest.param(OUTCOME, State.FAILED, [], id="an OperationOutcome"),
        pytest.param({"resource": OUTCOME}, State.FAILED, [], id="an OperationOutcome in a wrapper"),
        pytest.param(searchset(condition(), link=NEXT), State.PARTIAL, ["condition-1"], id="a next link"),
        pytest.param(searchset(link=NEXT), State.PARTIAL, [], id="a next link and no entry yet"),
        pytest.param(searchset(condition(), total=200), State.PARTIAL, ["condition-1"], id="a total above the entries"),
        pytest.param(searchset(total=3), State.PARTIAL, [], id="a total and no entry at all"),
    ],
)
def test_a_value_is_sorted_into_its_state(value: Any, state: State, ids: list[str]) -> None:
    """R-2.80, R-2.82, R-2.84, R-2.85."""
    assert sorted_as(value) == (state, ids)


def test_a_key_that_was_not_sent_is_missing() -> None:
    """R-2.83."""
    assert sort_value(None).state is State.MISSING


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        pytest.param(condition(), ["condition-1"], id="one resource where a searchset belongs"),
        pytest.param([condition(), condition(id="b")], ["condition-1", "b"], id="a list of resources"),
        pytest.param({"resource": condition()}, ["condition-1"], id="a resource in a wrapper"),
        pytest.param(
            {"response": {"status": "200 OK"}, "resource": searchset(condition())},
            ["condition-1"],
            id="the response and resource wrapper of CDS Hooks 1.0 drafts",
        ),
        pytest.param(searchset() | {"entry": [condition()]}, ["condition-1"], id="a bare resource for an entry"),
        pytest.param(
            searchset(condition()) | {"type": "collection"}, ["condition-1"], id="a collection"
        ),
        pytest.param(
            searchset() | {"entry": {"resource": condition()}}, ["condition-1"], id="one entry for a list"
        ),
        pytest.param(searchset() | {"entry": [5, {"resource": condition()}]}, [None, "condition-1"], id="a number"),
        pytest.param(
            searchset() | {"entry": [{"resource": "x"}, {"resource": condition()}]},
            [None, "condition-1"],
            id="a string for a resource",
        ),
    ],
)  # fmt: skip
def test_shapes_that_clients_send_are_taken_for_what_they_hold(value: Any, ids: list[str | None]) -> None:
    """clients.md 2 and 7: single resources, wrappers, objects for lists."""
    assert sorted_as(value) == (State.SATISFIED, ids)


JUNK = [
    pytest.param(0, id="zero"),
    pytest.param(-1.5e300, id="a number"),
    pytest.param(True, id="true"),
    pytest.param(False, id="false"),
    pytest.param("", id="an empty string"),
    pytest.param("Condition/1", id="a string"),
    pytest.param({}, id="an empty object"),
    pytest.param({"id": "1"}, id="an object without resourceType"),
    pytest.param({"resourceType": None}, id="a resourceType of null"),
    pytest.param({"resourceType": ["x", "y"]}, id="a resourceType that is a list"),
    pytest.param({"resource": None}, id="a wrapper around null"),
    pytest.param({"resource": 5}, id="a wrapper around a number"),
    pytest.param({"resource": {"resource": condition()}}, id="a wrapper in a wrapper"),
    pytest.param({"response": {"status": "404"}}, id="a response without a resource"),
]


@pytest.mark.parametrize("value", JUNK)
def test_junk_counts_as_failed_and_the_card_says_so(
    value: Any, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.89: never a 5xx, never a silent "nothing found", and no needless request."""
    assert sorted_as(value) == (State.FAILED, [])
    note = note_on_conditions(cards_of(client, call_with(value)))
    assert note is not None
    assert NOT_CHECKED in note
    assert fhir_server.asked == []


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"resource":' * 300 + b"1" + b"}" * 300, id="three hundred wrappers"),
        pytest.param(b'{"resourceType": "Condition", "id": ' + b"9" * 5000 + b"}", id="a number of 5000 digits"),
        pytest.param(b'{"resourceType": "Condition", "id": 1e999}', id="a number beyond every float"),
        pytest.param(b'{"resourceType": "Condition", "id": "\\ud800"}', id="half of a surrogate pair"),
        pytest.param(b'{"resourceType": "Condition", "id": "\xff"}', id="bytes that are no UTF-8"),
        pytest.param(GARBLED, id="bytes that are no UTF-8 beside a code that is none"),
        pytest.param(b'["\xff"]', id="a list with bytes that are no UTF-8"),
    ],
)  # fmt: skip
def test_values_at_the_edge_of_json_count_as_failed(raw: bytes) -> None:
    """R-2.16, R-2.89: raw bytes, as they stand in the body."""
    assert sort_value(raw).state is State.FAILED


def test_bytes_that_are_no_utf_8_are_never_a_server_error(client: FlaskClient) -> None:
    body = json.dumps(call_with("@")).encode().replace(b'"@"', GARBLED)
    response = client.post(SERVICE, data=body, content_type="application/json")
    assert response.status_code in (200, 400)


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param({"link": {"relation": "self", "url": "x"}}, id="a link that is an object"),
        pytest.param({"link": ["x"]}, id="a link that is a string"),
        pytest.param({"entry": {"resource": condition()}}, id="an entry that is an object"),
    ],
)
def test_a_bundle_that_must_be_mended_keeps_its_total(bundle: Json) -> None:
    assert sorted_as(searchset(condition(), total=200) | bundle) == (State.PARTIAL, ["condition-1"])


@pytest.mark.parametrize("odd", [None, 5, "x", [], True], ids=repr)
def test_one_odd_item_of_a_list_does_not_cost_the_good_one(odd: Any) -> None:
    assert sorted_as([odd, condition()]) == (State.SATISFIED, [None, "condition-1"])


@pytest.mark.parametrize("value", [[[]], [None], [5, "x"], [{}], [[[[[]]]]]], ids=repr)
def test_a_list_of_nothing_but_junk_is_told(value: Any, client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """R-2.89: as failed, or as entries that could not be read; never as an empty chart."""
    assert note_on_conditions(cards_of(client, call_with(value))) is not None
    assert fhir_server.asked == []


def test_entry_null_is_an_empty_bundle() -> None:
    """R-2.82."""
    assert sorted_as(searchset() | {"entry": None}) == (State.EMPTY, [])


def test_a_remark_among_the_entries_does_not_make_up_for_a_missing_match() -> None:
    """R-2.85; https://hl7.org/fhir/R4/bundle.html#total."""
    assert sorted_as(searchset(condition(), OUTCOME, total=2))[0] is State.PARTIAL


@pytest.mark.parametrize(
    ("value", "asked", "note"),
    [
        pytest.param(searchset(condition(ASTHMA)), [], None, id="what is satisfied is not fetched"),
        pytest.param(None, [], None, id="null is not fetched again, and is an honest nothing"),
        pytest.param(searchset(), [], None, id="an empty searchset is not fetched again"),
        pytest.param([], [], None, id="an empty list is not fetched again"),
        pytest.param(OUTCOME, [], NOT_CHECKED, id="what failed is not fetched again, and is reported"),
        pytest.param(searchset(link=NEXT), ["Condition?page=2"], ONLY_A_PART, id="a next page is fetched"),
        pytest.param(searchset(total=9), [SEARCH], ONLY_A_PART, id="a part without next link is fetched again"),
    ],
)  # fmt: skip
def test_what_a_value_makes_the_service_fetch_and_say(
    value: Any, asked: list[str], note: str | None, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.82 to R-2.85. The FHIR server has nothing, so that every fetch fails."""
    said = note_on_conditions(cards_of(client, call_with(value)))
    assert fhir_server.asked == asked
    assert (said or "").startswith(note) if note else said is None


def test_an_unreadable_chart_shows_in_the_summary_too(client: FlaskClient) -> None:
    """R-2.84: a clinician who reads only the summary is not misled."""
    summary = cards_of(client, call_with(OUTCOME))["what-to-expect"]["summary"]
    assert NOT_CHECKED in summary
    assert len(summary) < 140


@pytest.mark.parametrize("key", ["patient", "conditions", "procedures"])
def test_a_key_left_out_is_fetched_and_no_other(key: str, client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """R-2.81, R-2.83."""
    call = call_with(searchset())
    del call["prefetch"][key]
    cards_of(client, call)
    urls = {"patient": "Patient/pat-1", "conditions": SEARCH, "procedures": SEARCH.replace("Condition", "Procedure")}
    assert fhir_server.asked == [urls[key]]


def test_keys_that_are_not_ours_are_ignored(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """R-2.80."""
    call = call_with(searchset())
    expected = cards_of(client, call)
    call["prefetch"] |= {"user": 5, "conditions2": OUTCOME, "": None}
    assert cards_of(client, call) == expected
    assert fhir_server.asked == []


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param(patient(), id="a Patient"),
        pytest.param({"resourceType": "CapabilityStatement"}, id="a CapabilityStatement"),
        pytest.param(procedure(ASTHMA), id="a Procedure"),
    ],
)
def test_a_resource_of_another_type_is_not_taken_for_an_empty_chart(resource: Json, client: FlaskClient) -> None:
    assert note_on_conditions(cards_of(client, call_with(resource))) is not None


@pytest.mark.parametrize(
    ("patient_id", "url"),
    [
        pytest.param("pat-1.A", "Patient/pat-1.A", id="an id as FHIR has it"),
        pytest.param("a b", "Patient/a%20b", id="a blank"),
        pytest.param("a&_count=1", "Patient/a%26_count%3D1", id="a second parameter"),
        pytest.param("a/../b", "Patient/a%2F..%2Fb", id="a path"),
        pytest.param("a?x#y", "Patient/a%3Fx%23y", id="a query and a fragment"),
        pytest.param("%2e%2e", "Patient/%252e%252e", id="an id that is encoded already"),
        pytest.param("ñ\r\n", "Patient/%C3%B1%0D%0A", id="a letter beyond ASCII and line breaks"),
        pytest.param("{{context.userId}}", "Patient/%7B%7Bcontext.userId%7D%7D", id="a token"),
    ],
)
def test_the_id_is_percent_encoded_into_the_template(patient_id: str, url: str) -> None:
    """R-3.13."""
    assert fill_template("Patient/{{context.patientId}}", patient_id) == url
