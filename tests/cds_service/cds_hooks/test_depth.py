"""Nested JSON: limited where it is read, ignored where it is not (design.md 6, ADR 16)."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.charts import SERVICE, condition, hook_call, order, post, prefetch

_HERE = "<nest>"
_LARGE = "x" * 20_000  # so that the orders are judged before the rest is decoded


def nest(levels: int) -> str:
    return '{"a":[' * (levels // 2) + "1" + "]}" * (levels // 2)


def post_nested(client: FlaskClient, call: object, levels: int) -> TestResponse:
    body = json.dumps(call).replace(f'"{_HERE}"', nest(levels))
    return client.post(SERVICE, data=body, content_type="application/json")


def card_uuids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.get_data(as_text=True)
    return [card["uuid"] for card in response.get_json()["cards"]]


@pytest.mark.parametrize("levels", [500, 100_000, 1_900_000])
@pytest.mark.parametrize("note", ["", _LARGE], ids=["a small call", "a large call"])
def test_an_order_that_nests_too_deeply_is_400(client: FlaskClient, note: str, levels: int) -> None:
    response = post_nested(client, hook_call(order(extension=_HERE), prefetch=prefetch(condition(note=note))), levels)
    assert response.status_code == 400
    assert response.get_json()["issue"][0]["code"] in ("too-costly", "structure")


@pytest.mark.parametrize("code", [None, {"text": "Chest X-ray"}], ids=["an order of ours", "an order of others"])
@pytest.mark.parametrize("levels", [2_000, 1_900_000])
def test_a_chart_without_end_is_400(client: FlaskClient, code: dict[str, str] | None, levels: int) -> None:
    """The decoder ends it, whether or not somebody would have read it; no stack overflows, nothing is built."""
    response = post_nested(client, hook_call(order(code), prefetch=prefetch(condition(extension=_HERE))), levels)
    assert response.status_code == 400


@pytest.mark.parametrize("note", ["", _LARGE], ids=["a small call", "a large call"])
def test_what_nobody_reads_may_nest_deeper_than_fhir_does(client: FlaskClient, note: str) -> None:
    """A finding is not lost to an odd extension beside it."""
    plain = post(client, hook_call(prefetch=prefetch(condition(note=note))))
    odd = post_nested(client, hook_call(prefetch=prefetch(condition(note=note, extension=_HERE))), 200)
    assert card_uuids(odd) == card_uuids(plain)
    assert len(card_uuids(plain)) == 2


@pytest.mark.parametrize("element", ["code", "clinicalStatus", "onsetDateTime", "subject", "id", "verificationStatus"])
def test_what_is_read_may_be_anything(client: FlaskClient, element: str) -> None:
    """An element of another shape is left out or mended, however deep it is."""
    assert card_uuids(post_nested(client, hook_call(prefetch=prefetch(condition(**{element: _HERE}))), 800))
