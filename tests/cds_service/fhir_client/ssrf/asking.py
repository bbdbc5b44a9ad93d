"""A call that makes the service ask its FHIR server for conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from tests.charts import Json, condition, hook_call, prefetch, searchset
from tests.misbehaving_server import LoopbackServer

MADE_UP = "made-up-token-for-these-tests"
BEARER = {"access_token": MADE_UP, "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
SEARCH = "/fhir/Condition?patient=pat-1&_count=500"
NOT_CHECKED = "Problem list not available"  # of the summary
ONLY_A_PART = "Not checked: some conditions"
BUDGET_MS = 4_000
SHORT_BUDGET_MS = 250
Connect = Callable[..., FlaskClient]  # takes the budget in milliseconds


def asking(server: str, **elements: Any) -> Json:
    """A call without conditions in its prefetch, for an LP order, that says this is its FHIR server."""
    given = {key: value for key, value in prefetch().items() if key != "conditions"}
    return hook_call(prefetch=given, fhirServer=server, fhirAuthorization=BEARER) | elements


def with_next(url: str) -> Json:
    """A first page with one Condition that says where the second is."""
    return searchset(condition(), link=[{"relation": "next", "url": url}])


def fill(template: str, fhir: LoopbackServer, canary: LoopbackServer) -> str:
    return template.replace("GOOD", f"127.0.0.1:{fhir.port}").replace("PORT", str(canary.port))
