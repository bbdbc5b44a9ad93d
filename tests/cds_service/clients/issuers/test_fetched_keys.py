"""Keys that are fetched from an issuer: a real server over real TLS, well, badly, or not at all (R-6.5, R-6.14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.cds_service.clients.issuers.issuer import (
    NEXT,
    NO_KEY,
    NO_SIGNATURE,
    NOT_FETCHED,
    OWN,
    Issuer,
    forge,
    status,
    status_with_log,
    until,
)
from tests.certificates import HOUR, self_signed
from tests.charts import SERVICE
from tests.misbehaving_server import answer, never_ending, raw
from tests.monotonic_clock import MonotonicClock
from tests.registered_service import CALL, RegisteredService
from tests.token_forge import assemble, jwk_of


def flood(service: RegisteredService, count: int) -> None:
    """Tokens with kids that nobody has heard of, which anybody can write."""
    one = forge(service)
    for number in range(count):
        token = assemble(one.header | {"kid": f"unknown {number}"}, one.claims, lambda _: b"no signature")
        assert service.call(f"Bearer {token}").status_code == 401
        assert NO_KEY in service.reason()


def test_keys_are_fetched_over_tls_by_a_private_authority(service: RegisteredService, issuer: Issuer) -> None:
    """In production: not before a token needs them, once for many calls, and nothing of ours is sent along."""
    assert issuer.server.connection_count == 0
    assert [status(service) for _ in range(5)] == [200] * 5
    assert issuer.asked == 1
    sent = issuer.server.requests[0].headers
    assert sorted(name.lower() for name in sent) == ["accept", "accept-encoding", "connection", "host", "user-agent"]


def test_issuer_whose_certificate_is_not_trusted_gives_no_keys(
    make_service: Callable[..., RegisteredService], issuer: Issuer, tmp_path: Path
) -> None:
    assert status(make_service(issuer.url)) == 503
    other = self_signed(tmp_path, "127.0.0.1")
    assert status(make_service(issuer.url, ca_file=other)) == 503
    assert issuer.asked == 0


@pytest.mark.parametrize(
    ("begins_in", "kind"),
    [
        pytest.param(-2 * HOUR, "CertificateExpired", id="expired"),
        pytest.param(HOUR, "CertificateNotYetValid", id="not valid yet"),
    ],
)
def test_issuer_whose_certificate_is_out_of_date_gives_no_keys_and_the_log_says_why(
    make_service: Callable[..., RegisteredService], tmp_path: Path, begins_in: timedelta, kind: str
) -> None:
    outdated = self_signed(tmp_path, "127.0.0.1", begins_in=begins_in)
    issuer = Issuer(outdated)
    service = make_service(issuer.url, ca_file=outdated)
    try:
        with capture_logs() as log:
            assert status_with_log(service) == 503
        (told,) = [one for one in log if one["event"] == NOT_FETCHED]
        assert (told["cds_hooks.client"], told["error.type"]) == ("remote-clinic", kind)
        assert str(issuer.server.port) not in repr(log)
        assert issuer.asked == 0
    finally:
        issuer.server.close()


def test_known_keys_outlive_an_issuer_whose_certificate_expires_until_it_is_renewed(
    make_service: Callable[..., RegisteredService], clock: MonotonicClock, tmp_path: Path
) -> None:
    good = self_signed(tmp_path, "127.0.0.1", name="good")
    expired = self_signed(tmp_path, "127.0.0.1", begins_in=-2 * HOUR, name="expired")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good.read_bytes() + expired.read_bytes())
    issuer = Issuer(good)
    service = make_service(issuer.url, ca_file=trusted)
    try:
        assert status(service) == 200
        issuer.present(expired)
        issuer.publish(jwk_of(NEXT, "ES384", "own"))
        clock.advance(301)
        with capture_logs() as log:
            assert status_with_log(service) == 200
            until(lambda: any(one["event"] == NOT_FETCHED for one in log))
        (told,) = [one for one in log if one["event"] == NOT_FETCHED]
        assert (told["error.type"], told["cds_hooks.keys.known"]) == ("CertificateExpired", True)
        issuer.present(good)
        clock.advance(301)
        assert status(service) == 200  # with the old key, while the new one is fetched
        until(lambda: status(service, key=NEXT) == 200)
    finally:
        issuer.server.close()


def test_certificate_for_another_address_gives_no_keys(
    make_service: Callable[..., RegisteredService], tmp_path: Path
) -> None:
    elsewhere = self_signed(tmp_path, "127.0.0.9")
    issuer = Issuer(elsewhere)
    try:
        assert status(make_service(issuer.url, ca_file=elsewhere)) == 503
        assert issuer.asked == 0
    finally:
        issuer.server.close()


@pytest.mark.parametrize("state", ["up", "down", "hanging"])
def test_flood_of_unknown_kids_asks_the_issuer_once_a_minute(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """R-6.14, and good tokens are taken all the while."""
    assert status(service) == 200
    connections = issuer.server.connection_count
    if state == "hanging":
        monkeypatch.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.5)
        issuer.answer_with(never_ending(b""))
    elif state == "down":
        issuer.answer_with(raw(b""))
    for minute in range(1, 4):
        clock.advance(60)
        flood(service, 50)
        until(lambda: service_is_quiet(issuer))
        assert status(service) == 200
        assert issuer.server.connection_count - connections <= minute
    assert issuer.asked == 4


def service_is_quiet(issuer: Issuer) -> bool:
    """Whether every connection that was opened has also brought its request."""
    return issuer.server.connection_count == len(issuer.server.requests)


def test_known_keys_outlive_an_issuer_that_is_down(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """However old they become: an outage there is none here. It is asked again every five minutes, beside the calls."""
    assert status(service) == 200
    issuer.server.close()
    for hours in (0.1, 1, 24, 24 * 365):
        clock.advance(hours * 3_600)
        assert status(service) == 200
    flood(service, 3)
    assert status(service) == 200


def test_new_key_is_picked_up_and_the_old_one_goes(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """Rotation as it should be done: both for a while, then the new one alone."""
    assert status(service) == 200
    issuer.publish(jwk_of(OWN, "ES384", "own"), jwk_of(NEXT, "ES384", "next"))
    clock.advance(59)
    assert status(service, kid="next", key=NEXT) == 401  # asked less than a minute ago
    clock.advance(1)
    assert status(service, kid="next", key=NEXT) == 200
    assert status(service) == 200
    issuer.publish(jwk_of(NEXT, "ES384", "next"))
    clock.advance(301)
    assert status(service, kid="next", key=NEXT) == 200  # and the keys are fetched beside it
    until(lambda: status(service) == 401)
    assert status(service, kid="next", key=NEXT) == 200
    assert issuer.asked == 3


def test_key_that_was_exchanged_under_its_kid_is_exchanged_here(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    assert status(service) == 200
    issuer.publish(jwk_of(NEXT, "ES384", "own"))
    clock.advance(301)
    assert status(service) == 200
    until(lambda: status(service) == 401)
    assert status(service, key=NEXT) == 200


def test_no_key_yet_and_an_issuer_that_is_down_is_503_until_it_is_up(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """R-4.16: not the client's fault, and worth another try. The token id is not used up by it."""
    issuer.answer_with(answer(b"", 500))
    one = forge(service)
    refused = service.call(one.bearer())
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "WWW-Authenticate" not in refused.headers
    assert "127.0.0.1" not in refused.get_data(as_text=True)
    assert NOT_FETCHED in [event["event"] for event in service.log]
    assert service.rows()["seen_token"] == 0
    issuer.publish(jwk_of(OWN, "ES384", "own"))
    clock.advance(4)
    assert service.call(one.bearer()).status_code == 503
    clock.advance(1)
    assert service.call(one.bearer()).status_code == 200
    assert issuer.asked == 2


def test_stranger_learns_of_no_outage(service: RegisteredService, issuer: Issuer) -> None:
    """Only who names a registered issuer and a registered algorithm makes us ask."""
    issuer.answer_with(answer(b"", 500))
    one = forge(service)
    for token in (one.bearer(iss="https://attacker.example.org"), one.bearer(header_alg="none"), "Bearer a.b.c", None):
        assert service.call(token).status_code == 401
    assert issuer.server.connection_count == 0


def test_development_fetches_keys_from_loopback_without_tls(
    make_service: Callable[..., RegisteredService],
) -> None:
    """With `require_tokens` it checks as production does."""
    issuer = Issuer(None)
    try:
        service = make_service(issuer.url, profile="development", require_tokens=True)
        assert status(service) == 200
        service.assert_refused(forge(service, key=NEXT).bearer(), NO_SIGNATURE)
        assert service.send(SERVICE, None, CALL).status_code == 401
    finally:
        issuer.server.close()
