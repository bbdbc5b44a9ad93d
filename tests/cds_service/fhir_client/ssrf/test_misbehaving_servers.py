"""A FHIR server that is slow, broken or hostile costs its data, and never the answer."""

from __future__ import annotations

import gzip
import json

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from tests.cds_service.fhir_client.ssrf.asking import (
    BEARER,
    MADE_UP,
    NOT_CHECKED,
    SEARCH,
    SHORT_BUDGET_MS,
    Connect,
    asking,
)
from tests.charts import cards_of, condition, hook_call, order, post, prefetch, procedure, searchset
from tests.misbehaving_server import HTTP_OK, Answer, Handler, LoopbackServer, answer, never_ending, raw
from tests.work_ups import MRI, PUNCTURE


def _one_more_page(handler: Handler) -> None:
    number = int(handler.path.partition("page=")[2] or 0) + 1
    handler.loopback.answers[f"/fhir/Condition?page={number}"] = _one_more_page
    answer(searchset(link=[{"relation": "next", "url": f"Condition?page={number}"}]))(handler)


GOOD_PAGE = json.dumps(searchset(condition())).encode()
CHUNKED = HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n"
DEEP = (
    b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Condition","x":' + b"[" * 70 + b"]" * 70 + b"}}]}"
)
MANY_CODINGS = b'{"resourceType": "Condition", "code": {"coding": [' + b"{}," * 400_000 + b"{}]}}"
ENDLESS = [
    pytest.param(never_ending(b""), id="never answers"),
    pytest.param(never_ending(b"HTTP/1.1 200 O", b"K"), id="drips its status"),
    pytest.param(never_ending(HTTP_OK + b"A: ", b"b"), id="drips its headers"),
    pytest.param(never_ending(HTTP_OK + b"Content-Length: 99999\r\n\r\n" + GOOD_PAGE, b" "), id="drips its body"),
    pytest.param(never_ending(CHUNKED, b"1\r\n \r\n"), id="drips chunks"),
]
OTHER_MISBEHAVIORS = [
    pytest.param(never_ending(HTTP_OK + b"\r\n", b" " * 1_000_000), id="pours without end"),
    pytest.param(raw(), id="closes the connection"),
    pytest.param(raw(b"\x16\x03\x01\x02\x00"), id="speaks TLS where HTTP is due"),
    pytest.param(raw(HTTP_OK + b"Content-Length: 99999\r\n\r\n" + GOOD_PAGE), id="breaks off"),
    pytest.param(raw(HTTP_OK + b"\r\n" + GOOD_PAGE[:-5]), id="truncates its JSON"),
    pytest.param(raw(HTTP_OK + b"A: b\r\n" * 300 + b"\r\n" + GOOD_PAGE), id="sends three hundred headers"),
    pytest.param(raw(HTTP_OK + b"A: " + b"b" * 100_000 + b"\r\n\r\n" + GOOD_PAGE), id="sends a header of 100 kB"),
    pytest.param(answer(GOOD_PAGE, Content_Length="9" * 25), id="promises more than there is"),
    pytest.param(answer(gzip.compress(b" " * 30_000_000), Content_Encoding="gzip"), id="sends a bomb"),
    pytest.param(answer(gzip.compress(gzip.compress(GOOD_PAGE)), Content_Encoding="gzip, gzip"), id="packs twice"),
    pytest.param(answer(GOOD_PAGE, Content_Encoding="br"), id="says it is brotli"),
    pytest.param(answer(GOOD_PAGE, Content_Encoding="gzip"), id="says it is gzip"),
    pytest.param(answer(DEEP), id="nests 74 levels deep"),
    pytest.param(answer(b"[" * 5_000_000), id="nests five million levels deep"),
    pytest.param(answer(b'{"resourceType": "Bundle", "total": NaN, "entry": []}'), id="counts NaN"),
    pytest.param(answer(MANY_CODINGS), id="sends a Condition with 400,000 codings"),
    pytest.param(answer(searchset(*[{"resourceType": "Condition"}] * 20_001)), id="sends more than 20,000 entries"),
    pytest.param(answer(b"<Bundle/>", Content_Type="application/fhir+xml"), id="sends XML"),
    pytest.param(answer(b"", Content_Type="application/fhir+json"), id="sends nothing"),
    pytest.param(answer(b"\xff\xfe{\x00}\x00"), id="sends UTF-16"),
    pytest.param(answer({"resourceType": "OperationOutcome"}), id="sends an OperationOutcome"),
    pytest.param(answer({}, 401), id="answers 401"),
    pytest.param(answer({}, 403), id="answers 403"),
    pytest.param(answer({}, 404), id="answers 404"),
    pytest.param(answer({}, 429, Retry_After="3600"), id="answers 429"),
    pytest.param(answer({}, 500), id="answers 500"),
    pytest.param(answer({}, 999), id="answers 999"),
]


def costs_its_data_and_not_the_answer(client: FlaskClient, fhir: LoopbackServer) -> None:
    """R-2.86: the cards come, and say what was not checked; the log says why, without an address or a token."""
    with capture_logs() as events:
        cards = cards_of(client, asking(fhir.base))
    assert list(cards) == ["what-to-expect"]
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
    assert MADE_UP not in str(events)
    assert str(fhir.port) not in str(events)


@pytest.mark.parametrize("misbehave", ENDLESS)
def test_a_server_without_end_costs_its_data_and_never_the_answer(
    misbehave: Answer, connect: Connect, fhir: LoopbackServer
) -> None:
    fhir.answers[SEARCH] = misbehave
    costs_its_data_and_not_the_answer(connect(SHORT_BUDGET_MS), fhir)


@pytest.mark.parametrize("misbehave", OTHER_MISBEHAVIORS)
def test_a_server_that_misbehaves_costs_its_data_and_never_the_answer(
    misbehave: Answer, client: FlaskClient, fhir: LoopbackServer
) -> None:
    fhir.answers[SEARCH] = misbehave
    costs_its_data_and_not_the_answer(client, fhir)


@pytest.mark.parametrize("misbehave", ENDLESS[:3] + OTHER_MISBEHAVIORS[12:13] + OTHER_MISBEHAVIORS[-2:-1])
def test_a_work_up_without_procedures_is_refused_and_no_fault(
    misbehave: Answer, connect: Connect, fhir: LoopbackServer
) -> None:
    """R-4.6: 412, where nothing can be said without them."""
    fhir.answers["/fhir/Procedure?patient=pat-1&_count=500"] = misbehave
    given = {key: value for key, value in prefetch().items() if key != "procedures"}
    call = hook_call(order(MRI), prefetch=given, fhirServer=fhir.base, fhirAuthorization=BEARER)
    assert post(connect(SHORT_BUDGET_MS), call).status_code == 412


def test_pages_without_end_are_read_up_to_a_limit(client: FlaskClient, fhir: LoopbackServer) -> None:
    fhir.answers[SEARCH] = _one_more_page
    cards = cards_of(client, asking(fhir.base))
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
    assert len(fhir.requests) <= 100


def test_a_dead_server_is_left_alone_and_others_are_read_meanwhile(connect: Connect, fhir: LoopbackServer) -> None:
    """design.md 6: one client's dead server never delays another's calls. Two bases, and so two servers to us."""
    client = connect(SHORT_BUDGET_MS)
    dead = f"http://127.0.0.1:{fhir.port}/dead"
    fhir.answers |= {
        SEARCH: answer(searchset(condition())),
        SEARCH.replace("fhir", "dead"): never_ending(b""),
    }
    for _ in range(7):
        assert NOT_CHECKED in cards_of(client, asking(dead))["what-to-expect"]["summary"]
    assert 1 <= len(fhir.requests) <= 5  # a busy machine may spend a budget before it connects
    assert "confounders" in cards_of(connect(), asking(fhir.base))


def test_a_part_that_is_bad_costs_no_other_part(client: FlaskClient, fhir: LoopbackServer) -> None:
    """All three keys are asked for; the conditions come broken."""
    fhir.answers |= {
        SEARCH: raw(b"HTTP/1.1 200 OK\r\n"),
        "/fhir/Procedure?patient=pat-1&_count=500": answer(searchset(PUNCTURE, procedure({"text": "x"}, id="x"))),
    }
    call = hook_call(order(MRI), prefetch=None, fhirServer=fhir.base, fhirAuthorization=BEARER)
    assert post(client, call).status_code == 200
    assert len(fhir.requests) == 3
