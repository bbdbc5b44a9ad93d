"""The page as a client: its tokens are checked like any other's, and are good for one call of one address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.sandbox.page.page_token import CLIENT
from tests.charts import SERVICE, hook_call


@pytest.fixture
def strict(make_app: Callable[..., Flask]) -> FlaskClient:
    """A service that refuses calls without a token."""
    return make_app(require_tokens=True).test_client()


def bearer(client: FlaskClient, endpoint: str) -> dict[str, str]:
    response = client.post(f"/sandbox/token/{endpoint}")
    assert (response.status_code, response.mimetype) == (200, "text/plain")
    assert response.headers["Cache-Control"] == "no-store"
    return {"Authorization": f"Bearer {response.get_data(as_text=True)}"}


def test_the_page_may_read_discovery_call_and_give_feedback(
    strict: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strict.get("/cds-services", headers=bearer(strict, "discovery")).status_code == 200
    answer = strict.post(SERVICE, json=hook_call(), headers=bearer(strict, "call"))
    assert answer.status_code == 200
    feedback = {
        "card": answer.get_json()["cards"][0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T02:30:00Z",
    }
    taken = strict.post(f"{SERVICE}/feedback", json={"feedback": [feedback]}, headers=bearer(strict, "feedback"))
    assert taken.status_code == 200
    assert CLIENT in capsys.readouterr().out + capsys.readouterr().err


@pytest.mark.parametrize("endpoint", ["discovery", "feedback"])
def test_a_token_for_another_address_is_refused(strict: FlaskClient, endpoint: str) -> None:
    """R-6.9."""
    assert strict.post(SERVICE, json=hook_call(), headers=bearer(strict, endpoint)).status_code == 401


def test_a_token_is_good_for_one_call(strict: FlaskClient) -> None:
    """R-6.12."""
    headers = bearer(strict, "call")
    assert [strict.post(SERVICE, json=hook_call(), headers=headers).status_code for _ in range(2)] == [200, 401]


def test_the_key_of_another_process_opens_nothing(strict: FlaskClient, make_app: Callable[..., Flask]) -> None:
    other = make_app(require_tokens=True).test_client()
    assert strict.post(SERVICE, json=hook_call(), headers=bearer(other, "call")).status_code == 401


def test_without_a_token_the_call_is_refused(strict: FlaskClient) -> None:
    assert strict.post(SERVICE, json=hook_call()).status_code == 401


@pytest.mark.parametrize(("settings", "path"), [({"workers": 2}, "call"), ({}, "anything")], ids=["workers", "address"])
def test_no_token_is_given_where_it_would_not_hold(
    make_app: Callable[..., Flask], settings: dict[str, object], path: str
) -> None:
    assert make_app(**settings).test_client().post(f"/sandbox/token/{path}").status_code == 404
