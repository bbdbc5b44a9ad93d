"""Thousands of generated calls to every endpoint, the same ones in every run: no answer is 5xx, and every answer is
one that the served OpenAPI document describes. `make fuzz` generates others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts import SERVICE
from tests.fuzz import run
from tests.fuzz.calls import CALLS, MadeUpCall
from tests.fuzz.run import generators, send_described_edges, send_made_up
from tests.fuzz.service import ServiceUnderFuzz, service_under_fuzz
from tests.fuzz.tally import Broken, Findings, Tally

pytestmark = pytest.mark.slow

EXAMPLES = {
    "changed calls": 1_900,
    "damaged calls": 1_100,
    "odd requests": 1_100,
    "changed answers": 300,
    "described calls": 250,
}
LEAST_EDGES = 400  # of the document, examples included; how many there are follows from its schemas


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceUnderFuzz]:
    with service_under_fuzz(tmp_path) as one:
        yield one


def assert_nothing_broke(tally: Tally, findings: Findings) -> None:
    sys.stdout.write(f"\n{tally}\n")  # shown with -s, and where the test fails
    if findings.first:
        pytest.fail("\n\n".join(str(broken) for broken in findings.first.values()), pytrace=False)
    assert tally.of_status(500) == 0


def test_there_are_at_least_five_thousand_examples() -> None:
    assert EXAMPLES.keys() == run.SHARES.keys()
    assert sum(EXAMPLES.values()) + LEAST_EDGES >= 5_000


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_made_up_call_breaks_the_service(service: ServiceUnderFuzz, name: str) -> None:
    """R-4.17; and R-2.8 to R-2.16, R-2.70 to R-2.75, R-2.89, R-5.9, in thousands of ways."""
    findings = Findings()
    before = service.tally.total
    send_made_up(*generators(service)[name], EXAMPLES[name], findings)
    assert_nothing_broke(service.tally, findings)
    assert service.tally.total - before == EXAMPLES[name]


def test_no_edge_of_the_served_document_breaks_the_service(service: ServiceUnderFuzz) -> None:
    """R-4.17: examples, least and greatest values, wrong types, absent members and methods, of every operation."""
    findings = Findings()
    send_described_edges(service, findings)
    assert_nothing_broke(service.tally, findings)
    assert service.tally.total >= LEAST_EDGES
    for operation in service.operations:
        assert service.tally.answers[f"{operation.method.upper()} {operation.path}", 200], operation.label


def test_an_answer_that_must_not_be_is_found_made_small_and_can_be_sent_again(
    service: ServiceUnderFuzz, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search itself: a fault of the service is found and told once, by the place it comes from."""

    def broken(**_: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setitem(service.app.view_functions, "cds_hooks", broken)
    findings = Findings()
    send_made_up(*generators(service)["changed calls"], 50, findings)
    ((kind, found),) = findings.first.items()
    assert kind.startswith("ZeroDivisionError at test_fuzz.py:")
    assert findings.counts[kind] > 1
    with pytest.raises(Broken, match="answered 500: ZeroDivisionError"):
        service.send(MadeUpCall.from_json(found.again))


def test_a_fault_that_no_handler_answers_is_found(service: ServiceUnderFuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_environ: object, _start_response: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service.app, "wsgi_app", broken)
    with pytest.raises(Broken, match=r"not answered at all: ZeroDivisionError at test_fuzz\.py:"):
        service.send(MadeUpCall())
    assert service.tally.answers["POST /cds-services/{id}", 500] == 1


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        pytest.param(200, b'{"cards": [{}]}', "schema", id="a card without members"),
        pytest.param(200, b'{"cards": [], "systemActions": []}', "schema", id="a member the document lacks"),
        pytest.param(418, b"{}", "not documented", id="a status the document lacks"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_found(
    service: ServiceUnderFuzz, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, why: str
) -> None:
    answer = (body, status, {"Content-Type": "application/json"})
    monkeypatch.setitem(service.app.view_functions, "cds_hooks", lambda **_: answer)
    with pytest.raises(Broken, match=why):
        service.send(MadeUpCall(CALLS[0].text, SERVICE))
