"""A FHIR server that must not be called or believed: cards are shown, and say so (R-2.27, R-2.88)."""

from __future__ import annotations

import pytest
import requests
from flask.testing import FlaskClient

from tests.charts import Json, cards_of, condition, hook_call, patient, post, prefetch, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer

CONDITIONS = "Condition?patient=pat-1&_count=500"
NOT_CHECKED = "Problem list not available"
ONLY_A_PART = "Not checked: some conditions"
SOMEBODY_ELSES = condition(id="theirs", subject={"reference": "Patient/pat-2"})
BEARER = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}


def prefetch_without(key: str) -> Json:
    return {name: value for name, value in prefetch().items() if name != key}


@pytest.mark.parametrize(
    "server",
    [
        None,
        "",
        " ",
        "127.0.0.1",
        "//127.0.0.1/fhir",
        "http://",
        "http:///fhir",
        "http://10.0.0.1/fhir",
        "http://169.254.169.254/latest/meta-data",
        "https://fhir.example.org/R4",
        "http://0.0.0.0/fhir",
        "http://[::]/fhir",
        "http://[::ffff:10.0.0.1]/fhir",
        "http://[fe80::1%25eth0]/fhir",
        "http://127.0.0.1.evil.example/fhir",
        "http://localhost.evil.example/fhir",
        "http://127.0.0.1@evil.example/fhir",
        "http://user:secret@127.0.0.1/fhir",
        "http://evil.example#@127.0.0.1/fhir",
        "http://evil.example?@127.0.0.1/fhir",
        "http://evil.example\\@127.0.0.1/fhir",
        "http://127.0.0.1\\@evil.example/fhir",
        "http:\\\\127.0.0.1\\fhir",
        "http://127.0.0.1/fhir?x=1",
        "http://127.0.0.1/fhir#x",
        "http://127.0.0.1:0/fhir",
        "http://127.0.0.1:65536/fhir",
        "http://127.0.0.1:80:80/fhir",
        "http://127.0.0.1:x/fhir",
        "http://127.0.0.1:\uff18\uff10/fhir",
        "http://2130706433/fhir",
        "http://0177.0.0.1/fhir",
        "http://0x7f.0.0.1/fhir",
        "http://0x7f000001/fhir",
        "http://127.1/fhir",
        "http://127\u30020\u30020\u30021/fhir",
        "http://127\uff0e0\uff0e0\uff0e1/fhir",
        "http://\u2460\u2461\u2466.0.0.1/fhir",
        "http://127.0.0.1/fhir\r\nX-Injected: 1",
        "http://127.0.0.1\r\n.evil.example/fhir",
        "http://127.0.0.1/fhir\n",
        "\thttp://127.0.0.1/fhir",
        "http://127.0.0.1/fhir\x00",
        "http://127.0.0.1 .evil.example/fhir",
        "http://127.0.0.1/../fhir",
        "ftp://127.0.0.1/fhir",
        "file:///etc/passwd",
        "gopher://127.0.0.1/fhir",
        "javascript:alert(1)",
    ],
)
def test_a_server_that_is_not_plainly_this_machine_is_never_contacted(
    server: str | None, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.27, design.md 6: what it would have given counts as not obtainable."""
    authorization = BEARER if server else None  # without a server, a token is refused already
    call = hook_call(prefetch=prefetch_without("conditions"), fhirAuthorization=authorization) | (
        {} if server is None else {"fhirServer": server}
    )
    cards = cards_of(client, call)
    assert fhir_server.requests == []
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]


@pytest.mark.parametrize(
    ("server", "host"),
    [
        pytest.param("http://127.0.0.1:8113/fhir/R4", "127.0.0.1:8113", id="an IPv4 address"),
        pytest.param("http://127.0.0.1:8113/fhir/R4//", "127.0.0.1:8113", id="slashes at the end"),
        pytest.param("http://localhost:8113/fhir", "localhost:8113", id="localhost"),
        pytest.param("http://LOCALHOST/fhir", "localhost", id="capitals"),
        pytest.param("http://127.0.0.2", "127.0.0.2", id="another loopback address, without a path"),
        pytest.param("http://[::1]:1/x", "[::1]:1", id="an IPv6 address"),
        pytest.param("https://127.0.0.1/fhir", "127.0.0.1", id="https"),
    ],
)
def test_a_server_on_this_machine_is_contacted(
    server: str, host: str, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    cards_of(client, hook_call(prefetch=prefetch_without("conditions"), fhirServer=server))
    assert [request.method for request in fhir_server.requests] == ["GET"]
    assert {one.lower() for one in fhir_server.hosts} == {host}


def test_a_next_link_in_prefetch_that_leaves_the_server_is_not_followed(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.85: page one is used, and the card says that it is a part."""
    first = searchset(condition(), link=[{"relation": "next", "url": "http://127.0.0.1:9/fhir/R4/Condition?page=2"}])
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": first}, fhirServer=BASE))
    assert fhir_server.requests == []
    assert ONLY_A_PART in cards["confounders"]["detail"]


def test_a_next_link_that_cannot_be_parsed_is_no_server_error(client: FlaskClient) -> None:
    first = searchset(condition(), link=[{"relation": "next", "url": "http://[::1/Condition"}])
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": first}, fhirServer=BASE))
    assert ONLY_A_PART in cards["confounders"]["detail"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(searchset(SOMEBODY_ELSES), id="only another patient's conditions"),
        pytest.param(searchset(condition(), SOMEBODY_ELSES), id="everybody's conditions"),
        pytest.param(SOMEBODY_ELSES, id="a single condition of another patient"),
    ],
)
def test_a_server_that_answers_with_another_patient_is_not_believed(
    answer: Json, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.88: two people are never mixed; the client did nothing wrong, so it gets its cards."""
    fhir_server.answers[CONDITIONS] = answer
    cards = cards_of(client, hook_call(prefetch=prefetch_without("conditions"), fhirServer=BASE))
    assert list(cards) == ["what-to-expect"]
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
    assert "theirs" not in str(cards)


def test_the_page_that_was_sent_is_kept_where_the_next_is_about_somebody_else(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    fhir_server.answers["Condition?page=2"] = searchset(SOMEBODY_ELSES)
    first = searchset(condition(), link=[{"relation": "next", "url": f"{BASE}/Condition?page=2"}])
    cards = cards_of(client, hook_call(prefetch=prefetch() | {"conditions": first}, fhirServer=BASE))
    assert "- Lumbar spinal stenosis, since 2019" in cards["confounders"]["detail"]
    assert ONLY_A_PART in cards["confounders"]["detail"]
    assert "theirs" not in str(cards)


def test_a_part_of_another_patients_chart_is_refused_even_where_it_is_fetched_anew(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    fhir_server.answers[CONDITIONS] = searchset(condition())
    call = hook_call(prefetch=prefetch() | {"conditions": searchset(SOMEBODY_ELSES, total=9)}, fhirServer=BASE)
    assert post(client, call).status_code == 400


def test_a_fetched_patient_who_is_somebody_else_is_not_asked_for_their_language(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """The links stay in English."""
    call = hook_call(prefetch=prefetch(condition()) | {"patient": None})
    expected = cards_of(client, call)
    del call["prefetch"]["patient"]
    fhir_server.answers["Patient/pat-1"] = patient("es", id="pat-2")
    assert cards_of(client, call | {"fhirServer": BASE}) == expected


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("to http://127.0.0.1:8113/fhir"),
        requests.ConnectTimeout(),
        requests.TooManyRedirects(),
        requests.exceptions.InvalidURL(),
        OSError("no route"),
        (401, {}),
        (500, b"<html>"),
        b"",
        b"null",
    ],
    ids=repr,
)
def test_a_server_that_fails_costs_a_note_and_not_the_cards(
    failure: object, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.86: not a 412, for this is optional data."""
    fhir_server.answers[CONDITIONS] = failure
    cards = cards_of(client, hook_call(prefetch=prefetch_without("conditions"), fhirServer=BASE))
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
