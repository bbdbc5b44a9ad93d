"""Where the chart comes from, whose it is, and what the cards say about missing data (R-2.80 to R-2.90)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.charts import (
    ASTHMA,
    CPT,
    ICD_10_CM,
    PATIENT,
    Json,
    cards_of,
    coded,
    condition,
    hook_call,
    order,
    patient,
    post,
    prefetch,
    procedure,
    searchset,
)
from tests.fake_fhir_server import BASE, FakeFhirServer

CONDITIONS = "Condition?patient=pat-1&_count=500"
PROCEDURES = "Procedure?patient=pat-1&_count=500"
LAMINECTOMY = procedure(coded(CPT, "63047", "Laminectomy, lumbar"))
BEARER = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
NOT_CHECKED = "{} (not available)"
ONLY_A_PART = "some {}"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
UNREAD = "conditions ({} unreadable)"
EVERYTHING = {
    "Patient/pat-1": patient("es"),
    CONDITIONS: searchset(condition()),
    PROCEDURES: searchset(LAMINECTOMY),
}
FULL = {"patient": patient("es"), "conditions": searchset(condition()), "procedures": searchset(LAMINECTOMY)}


def notes(cards: dict[str, Json]) -> list[str]:
    """What the cards say was not read, in summary or detail; every card says the same."""
    said = set()
    for card in cards.values():
        line = re.search(r"^Not checked: (.*)\.$", card["detail"], re.MULTILINE)
        in_summary = [NOT_CHECKED.format("conditions")] if "Problem list not available" in card["summary"] else []
        said.add((*in_summary, *(line[1].split(", ") if line else ())))
    assert len(said) == 1
    return list(said.pop())


def other(resource_id: str = "of-somebody-else", **elements: Any) -> Json:
    return condition(id=resource_id, **({"subject": {"reference": "Patient/pat-2"}} | elements))


def test_prefetch_alone_is_enough(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """R-2.87: no FHIR server named, none contacted."""
    cards = cards_of(client, hook_call(prefetch=FULL))
    assert (list(cards), notes(cards), fhir_server.asked) == (["what-to-expect", "confounders"], [], [])
    assert "- Lumbar spinal stenosis, since 2019" in cards["confounders"]["detail"]


@pytest.mark.parametrize("left_out", [[], ["patient"], ["conditions"], ["procedures"], list(FULL), None])
def test_the_cards_are_the_same_wherever_the_chart_comes_from(
    left_out: list[str] | None, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.81, R-2.87, R-2.90: each key alone, all of them, or no prefetch member at all."""
    fhir_server.answers |= EVERYTHING
    given = None if left_out is None else {key: value for key, value in FULL.items() if key not in left_out}
    cards = cards_of(client, hook_call(prefetch=given, fhirServer=BASE, fhirAuthorization=BEARER))
    assert cards == cards_of(client, hook_call(prefetch=FULL))
    assert len(fhir_server.requests) == len(FULL if left_out is None else left_out)
    assert all(one.headers["Authorization"] == "Bearer made-up-token" for one in fhir_server.requests)


def test_without_a_token_none_is_sent(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    fhir_server.answers |= EVERYTHING
    assert notes(cards_of(client, hook_call(prefetch=None, fhirServer=BASE))) == []
    assert len(fhir_server.requests) == 3
    assert all("Authorization" not in one.headers for one in fhir_server.requests)


def test_the_rest_of_a_partial_prefetch_is_followed_to_the_end(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.85."""
    fhir_server.answers |= {
        "Condition?page=2": searchset(link=[{"relation": "next", "url": f"{BASE}/Condition?page=3"}]),
        "Condition?page=3": searchset(condition()),
    }
    first = searchset(condition(ASTHMA, id="a"), link=[{"relation": "next", "url": f"{BASE}/Condition?page=2"}])
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": first}, fhirServer=BASE))
    assert fhir_server.asked == ["Condition?page=2", "Condition?page=3"]
    assert (list(cards), notes(cards)) == (["what-to-expect", "confounders"], [])


@pytest.mark.parametrize("fhir", [BASE, None])
def test_a_partial_prefetch_whose_rest_is_lost_is_used_and_told(fhir: str | None, client: FlaskClient) -> None:
    """R-2.85: page one is kept."""
    first = searchset(condition(), link=[{"relation": "next", "url": f"{BASE}/Condition?page=2"}])
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": first}, fhirServer=fhir))
    assert list(cards) == ["what-to-expect", "confounders"]
    assert [note.startswith(ONLY_A_PART.format("conditions")) for note in notes(cards)] == [True]


@pytest.mark.parametrize(
    "patient_id", [pytest.param("pat-1.A", id="as FHIR has it"), pytest.param("a" * 64, id="as long as an id can be")]
)
def test_the_patient_id_stands_in_each_search_as_it_is(
    patient_id: str, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-3.13; test_requests.py has the ids that no search is made with."""
    call = hook_call(order(subject=None), prefetch=None, fhirServer=BASE)
    call["context"]["patientId"] = patient_id
    cards_of(client, call)
    assert fhir_server.asked == [
        f"Condition?patient={patient_id}&_count=500",
        f"Patient/{patient_id}",
        f"Procedure?patient={patient_id}&_count=500",
    ]


@pytest.mark.parametrize(
    "draft",
    [
        pytest.param(order(ASTHMA), id="an order that is not ours"),
        pytest.param(order(resourceType="MedicationRequest"), id="a medication"),
    ],
)
@pytest.mark.parametrize("given", [None, {"conditions": searchset(other())}])
def test_an_order_that_needs_no_chart_reads_none(
    draft: Json, given: Json | None, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 3: no prefetch decoded, no server called."""
    assert cards_of(client, hook_call(draft, prefetch=given, fhirServer=BASE)) == {}
    assert fhir_server.requests == []


PARTIAL = searchset(condition(), link=[{"relation": "next", "url": f"{BASE}/Condition?page=2"}])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(None, ["conditions (not available)", "procedures (not available)"], id="no prefetch"),
        pytest.param(prefetch(), [], id="a complete prefetch"),
        pytest.param(prefetch() | {"conditions": PARTIAL}, ["some conditions"], id="a part"),
    ],
)
def test_an_urgent_puncture_is_answered_from_prefetch_alone(
    given: Json | None, told: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 5: an emergency puncture is never delayed; what was not read is said."""
    fhir_server.answers |= EVERYTHING
    call = hook_call(order(priority="stat"), prefetch=given, fhirServer=BASE, fhirAuthorization=BEARER)
    cards = cards_of(client, call)
    assert list(cards) == ["what-to-expect"]
    assert len(notes(cards)) == len(told)
    assert all(words in note for words, note in zip(told, notes(cards), strict=True))
    assert fhir_server.requests == []


def test_not_even_an_urgent_puncture_is_answered_from_the_chart_of_somebody_else(client: FlaskClient) -> None:
    """R-2.88."""
    call = hook_call(order(priority="stat"), prefetch={"conditions": searchset(other())})
    assert post(client, call).status_code == 400


SOMEBODY = {"fullUrl": "urn:uuid:1b", "resource": {"resourceType": "Patient", "id": "pat-2"}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("patient", {"resourceType": "Patient", "id": "pat-2"}, id="the id of the Patient"),
        pytest.param("patient", searchset({"resourceType": "Patient", "id": "pat-2"}), id="a Patient in a searchset"),
        pytest.param("conditions", searchset(other()), id="a relative reference"),
        pytest.param("conditions", searchset(condition(), other()), id="one entry of two"),
        pytest.param("conditions", other(), id="a single resource"),
        pytest.param("conditions", [condition(), other()], id="an item of a list"),
        pytest.param("conditions", searchset(other(code=ASTHMA)), id="an entry that would not have mattered"),
        pytest.param("procedures", searchset(LAMINECTOMY | {"subject": {"reference": "Patient/pat-2"}}), id="theirs"),
        pytest.param("conditions", other(subject={"reference": "https://x.example/Patient/pat-2"}), id="absolute"),
        pytest.param("conditions", other(subject={"reference": "Patient/pat-2/_history/1"}), id="a version"),
        pytest.param("conditions", other(subject=None, patient={"reference": "Patient/pat-2"}), id="as in DSTU2"),
        pytest.param("conditions", other(subject=[{"reference": "Patient/pat-2"}]), id="a list of one reference"),
        pytest.param("conditions", {"resourceType": "Bundle", "entry": [SOMEBODY, {
            "resource": other(subject={"reference": "urn:uuid:1b"})}]}, id="a urn of another Patient"),
    ],
)  # fmt: skip
def test_prefetch_about_another_patient_is_refused(key: str, value: Any, client: FlaskClient) -> None:
    """R-2.88: 400 that names the key and echoes nothing."""
    response = post(client, hook_call(prefetch=prefetch() | {key: value}))
    assert response.status_code == 400
    issue = response.get_json()["issue"][0]
    assert issue["expression"][0].startswith(f"prefetch.{key}")
    body = response.get_data(as_text=True)
    assert not [word for word in ("pat-1", "pat-2", "1b", "stenosis", "x.example") if word in body]


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Patient/pat-2", id="a string"),
        pytest.param([{"reference": "Patient/pat-2"}, {"reference": "Patient/pat-3"}], id="a list of two"),
        pytest.param({"reference": {"reference": "Patient/pat-2"}}, id="a reference in a reference"),
        pytest.param({"reference": ["Patient/pat-2", "Patient/pat-3"]}, id="two references in one"),
    ],
)
def test_a_subject_that_cannot_be_read_is_not_taken_for_this_patient(subject: Any, client: FlaskClient) -> None:
    response = post(client, hook_call(prefetch=prefetch(condition(subject=subject))))
    assert response.status_code == 400 or "confounders" not in cards_of(client, hook_call(prefetch=prefetch(
        condition(subject=subject))))  # fmt: skip


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("Patient/pat-1", id="relative"),
        pytest.param("https://x.example/R4/Patient/pat-1/_history/2", id="absolute, with a version"),
        pytest.param(PATIENT, id="the bare id"),
        pytest.param("urn:uuid:pat-1", id="a urn of the id itself"),
        pytest.param("urn:uuid:1b", id="a urn that is the fullUrl of this Patient"),
    ],
)
def test_every_form_of_reference_to_this_patient_is_accepted(reference: str, client: FlaskClient) -> None:
    """clients.md 7: Synthea refers by urn:uuid."""
    bundle = searchset(condition(subject={"reference": reference}))
    bundle["entry"].append({"fullUrl": "urn:uuid:1b", "resource": patient()})
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": bundle}))
    assert (list(cards), notes(cards)) == (["what-to-expect", "confounders"], [])


ODD_ENTRIES = [
    pytest.param({"resource": condition(subject={"reference": "urn:uuid:nobody"})}, id="a urn that resolves to nobody"),
    pytest.param({"resource": condition(subject={"reference": "#contained"})}, id="a contained patient"),
    pytest.param({"resource": condition(subject={"reference": "Group/1"})}, id="a group"),
    pytest.param({"resource": {"id": "no-type"}}, id="a resource without resourceType"),
    pytest.param({"resource": 5}, id="a resource that is a number"),
    pytest.param({"resource": None}, id="a resource of null"),
    pytest.param({"fullUrl": "urn:uuid:1c"}, id="an entry without resource"),
    pytest.param({"resource": condition({"coding": [{}]})}, id="a condition without a code or a word"),
    pytest.param({"resource": condition("x")}, id="a code that is a string"),
    pytest.param({"resource": condition({"text": "***"})}, id="words that are signs only"),
    pytest.param({"resource": condition({"text": "Unknown"})}, id="words that stand for what is not known"),
    pytest.param(
        {"resource": condition(coded(ABSENT_REASON, "masked", "Masked"))}, id="a reason why the code is absent"
    ),
    pytest.param({"resource": condition(coded(ICD_10_CM, "IMO0001"))}, id="a placeholder instead of a code of ICD-10"),
    pytest.param({"resource": condition(coded(ICD_10_CM, "724.2"))}, id="a number of ICD-9 under the name of ICD-10"),
    pytest.param({}, id="an empty object"),
    pytest.param(None, id="null"),
    pytest.param("Condition/1", id="a string"),
    pytest.param(5, id="a number"),
    pytest.param([], id="a list"),
    pytest.param(True, id="true"),
]


@pytest.mark.parametrize("odd", ODD_ENTRIES)
@pytest.mark.parametrize("fetched", [False, True], ids=["in prefetch", "from the FHIR server"])
def test_an_odd_entry_is_counted_and_costs_the_good_one_nothing(
    odd: Any, fetched: bool, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 3: never fatal, and never silently "nothing found"."""
    bundle = searchset() | {"entry": [odd, {"resource": condition()}, odd]}
    given = prefetch() | {"conditions": bundle}
    if fetched:
        fhir_server.answers[CONDITIONS] = given.pop("conditions")
    cards = cards_of(client, hook_call(prefetch=given, fhirServer=BASE))
    assert notes(cards) == [UNREAD.format(2)]
    assert "- Lumbar spinal stenosis, since 2019" in cards["confounders"]["detail"]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        pytest.param({"issue": [{"severity": "warning"}]}, False, id="a warning"),
        pytest.param({"issue": [{"severity": "information"}]}, False, id="information"),
        pytest.param({"issue": [{"severity": "error"}]}, True, id="an error"),
        pytest.param({"issue": [{"severity": "fatal"}]}, True, id="a fatal error"),
        pytest.param({"issue": [{"severity": "warning"}, {"severity": "error"}]}, True, id="an error after a warning"),
        pytest.param({"issue": {"severity": "error"}}, True, id="an error outside of a list"),
        pytest.param({"issue": [{}]}, True, id="an issue of unknown severity"),
    ],
)
def test_an_outcome_among_the_entries_is_told_where_it_is_an_error(
    outcome: Json, told: bool, client: FlaskClient
) -> None:
    """R-2.84."""
    cards = cards_of(client, hook_call(prefetch=prefetch(condition(), {"resourceType": "OperationOutcome"} | outcome)))
    assert list(cards) == ["what-to-expect", "confounders"]
    assert [note.startswith(ONLY_A_PART.format("conditions")) for note in notes(cards)] == [True] * told


def test_both_sections_are_told_of_when_both_are_lost(client: FlaskClient) -> None:
    failed = {"resourceType": "OperationOutcome"}
    said = notes(cards_of(client, hook_call(prefetch={"patient": None, "conditions": failed, "procedures": failed})))
    assert said == [NOT_CHECKED.format(key) for key in ("conditions", "procedures")]


@pytest.mark.parametrize(
    ("pages", "note"),
    [
        pytest.param([searchset(condition(), total=3)], True, id="fewer than the server counted"),
        pytest.param([searchset(condition(), total=1)], False, id="as many as the server counted"),
        pytest.param(
            [
                searchset(condition(), total=2, link=[{"relation": "next", "url": "more"}]),
                searchset(condition(), total=2),
            ],
            False,
            id="as many as the server counted, on two pages",
        ),
    ],
)
def test_a_search_that_ends_short_of_its_total_is_told(
    pages: list[Json], note: bool, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.85."""
    fhir_server.answers[CONDITIONS] = pages[0]
    fhir_server.answers["more"] = pages[-1]
    without = {key: value for key, value in prefetch().items() if key != "conditions"}
    cards = cards_of(client, hook_call(prefetch=without, fhirServer=BASE))
    assert ("Not checked: some conditions." in cards["what-to-expect"]["detail"]) is note
