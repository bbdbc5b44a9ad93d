"""Generated tokens, and generated calls with good tokens, in the production profile behind the server's own door: no
answer is 5xx, and only valid tokens are accepted, each once. `make fuzz` generates others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.clients.token_check import ClientAuth
from cds_service.clients.token_replay import SeenTokens
from cds_service.errors import ClientNotTrusted
from cds_service.steps import Steps
from tests.fuzz.production import ProductionUnderFuzz, production_under_fuzz
from tests.fuzz.run import SHARES_IN_PRODUCTION, generators_in_production, send_made_up
from tests.fuzz.tally import Broken, Findings
from tests.fuzz.token_oracle import TokenOracle
from tests.fuzz.tokens import TokenPlan
from tests.registered_service import PUBLIC_URL, RegisteredService

EXAMPLES = {"tokens": 2_500, "changed calls": 300, "damaged calls": 300, "odd requests": 300}
FEW = {"tokens": 120, "changed calls": 20, "damaged calls": 20, "odd requests": 40}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ProductionUnderFuzz]:
    with production_under_fuzz(tmp_path) as one:
        yield one


def assert_nothing_breaks(service: ProductionUnderFuzz, name: str, examples: int) -> None:
    findings = Findings()
    send_made_up(*generators_in_production(service)[name], examples, findings)
    sys.stdout.write(f"\n{service.tally}\n")  # shown with -s, and where the test fails
    if findings.first:
        pytest.fail("\n\n".join(str(broken) for broken in findings.first.values()), pytrace=False)
    assert service.tally.of_status(500) == 0
    assert service.tally.total > examples


@pytest.mark.parametrize("name", FEW)
def test_a_few_made_up_calls_break_nothing(service: ProductionUnderFuzz, name: str) -> None:
    assert_nothing_breaks(service, name, FEW[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_thousands_of_made_up_calls_break_nothing(service: ProductionUnderFuzz, name: str) -> None:
    """R-6.4 to R-6.16: good tokens are taken, all others refused alike."""
    assert EXAMPLES.keys() == FEW.keys() == SHARES_IN_PRODUCTION.keys()
    assert_nothing_breaks(service, name, EXAMPLES[name])
    if name == "tokens":
        taken = sum(count for (_, status), count in service.tally.answers.items() if status == 200)
        refused = sum(count for (_, status), count in service.tally.answers.items() if status == 401)
        assert min(taken, refused) > EXAMPLES[name] / 10


def any_claims(_self: ClientAuth, *_: Any) -> None:
    return None


def accept_again(_self: SeenTokens, *_: Any) -> Steps[bool]:
    yield from ()
    return True


def refuse_all(_self: ClientAuth, *_: Any) -> Steps[Any]:
    yield from ()
    raise ClientNotTrusted("claims", "a fault of this test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "broken", "told"),
    [
        pytest.param("cds_service.clients.token_check._fault_of", any_claims, "a bad token was answered", id="claims"),
        pytest.param(
            "cds_service.clients.token_replay.SeenTokens.is_first_use",
            accept_again,
            "a bad token was answered",
            id="second uses",
        ),
        pytest.param(
            "cds_service.clients.token_check.ClientAuth.authenticate",
            refuse_all,
            "a good token was answered 401",
            id="good tokens",
        ),
    ],
)
def test_a_check_that_is_broken_is_found(
    service: ProductionUnderFuzz, monkeypatch: pytest.MonkeyPatch, what: str, broken: Callable[..., Any], told: str
) -> None:
    """The search itself: the oracle is not the service's own opinion."""
    monkeypatch.setattr(what, broken)
    findings = Findings()
    send_made_up(*generators_in_production(service)["tokens"], 200, findings)
    assert any(kind.startswith(told) for kind in findings.first), list(findings.first)


def test_a_fault_of_the_service_is_found_with_its_place(
    service: ProductionUnderFuzz, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cds_service.cds_hooks.hook_call.encode_response", broken)
    with pytest.raises(Broken, match=r"a good token was answered 500 .*ZeroDivisionError at test_fuzz_production\.py:"):
        service.send_token(TokenPlan.good())


def test_the_oracle_takes_a_good_token_once_and_for_its_address_only(tmp_path: Path, empty_ledger: Path) -> None:
    service = RegisteredService(tmp_path, empty_ledger)
    oracle = TokenOracle(lambda: service.now.timestamp())
    forge = service.forge()
    address = {f"{PUBLIC_URL}/cds-services/lumbar-puncture-back-pain"}
    assert not oracle.must_take([forge.bearer()], {PUBLIC_URL})
    assert not oracle.must_take([forge.bearer(), forge.bearer()], address)
    assert [oracle.must_take([forge.bearer()], address) for _ in range(2)] == [True, False]
    service.close()
