"""`cds-service call` against services and FHIR servers that are not ours: what is asked, sent and shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.call_server import CallServer, reply
from tests.cds_service.ehr_simulator.foreign_service import (
    CARD,
    DISCOVERY,
    PATIENT_VIEW,
    call_helper,
    foreign_service,
    greet,
)
from tests.charts import condition, searchset
from tests.misbehaving_server import Answer


@pytest.fixture
def server() -> Iterator[CallServer]:
    with foreign_service() as one:
        yield one


def test_the_first_service_that_has_the_hook_is_called_and_the_others_are_named(server: CallServer) -> None:
    result = call_helper(server, "--no-prefetch")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        "Calling order-helper (order-select)",
        "  also listed: patient-greeting (patient-view): Patient greeting",
        "  also listed: second (order-select)",
    ]
    assert [one.path for one in server.posted()] == ["/r4/cds-services/order-helper"]


def test_a_service_is_chosen_by_its_id(server: CallServer) -> None:
    server.answers["POST /r4/cds-services/second"] = reply({"cards": []})
    assert call_helper(server, "--no-prefetch", "--id", "second").exit_code == 0
    assert [one.path for one in server.posted()] == ["/r4/cds-services/second"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--id", "nope"], "no service nope is listed there", id="an id that is not listed"),
        pytest.param(["--id", "patient-greeting"], "does not have the hook order-select", id="an id with another hook"),
    ],
)
def test_a_service_that_is_not_there_is_answered_with_the_list(
    server: CallServer, arguments: list[str], words: str
) -> None:
    result = call_helper(server, *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "  It lists patient-greeting (patient-view): Patient greeting" in result.stderr.splitlines()
    assert server.posted() == []


def test_its_own_templates_are_filled_and_what_cannot_be_is_left_out_and_said(server: CallServer) -> None:
    """R-2.80 to R-2.83, R-3.1 to R-3.5."""
    result = call_helper(server)
    (sent,) = server.posted()
    assert list(sent.json["prefetch"]) == ["patient", "problems", "user", "practitioner", "nothing"]
    assert sent.json["prefetch"]["nothing"] is None
    told = result.stderr.splitlines()
    assert "Prefetch: 1 Patient, 1 Condition, 2 Practitioner; no data for nothing" in told
    assert told[4:] == [
        "  left out: self ({{userPatientId}}: the user is a Practitioner)",
        "  left out: encounter ({{context.encounterId}}: the context has none)",
        "  left out: drafts ({{context.draftOrders}} is not a single id)",
        "  left out: role ({{%user.id}} refers to another key, which is not supported here)",
        "  left out: recent ({{today() - 90 days}} is FHIRPath or unknown, which is not supported here)",
        "  left out: elsewhere (its address is not below the FHIR base)",
        "  left out: broken (its braces do not match)",
        "  left out: missing (the FHIR server answers 404)",
        "  left out: refused (the FHIR server answers 403: no scope for it)",
        "  left out: html (the FHIR server answers with HTML or XML, not JSON)",
        "  left out: outcome (the FHIR server answers with an OperationOutcome: timeout)",
    ]


def test_keys_are_left_out_where_that_is_asked(server: CallServer) -> None:
    result = call_helper(server, "--partial", "problems", "--encounter", "e 1")
    assert "problems" not in server.posted()[0].json["prefetch"]
    assert "  left out: problems (as asked)" in result.stderr
    assert "GET /fhir/Encounter/e%201" in [f"{one.method} {one.path}" for one in server.asked]


def page(server: CallServer, number: int, last: int, base: str | None = None) -> Any:
    """One of several pages of conditions, which links to the next."""
    link = [{"relation": "next", "url": f"{base or server.url}/fhir/page-{number + 1}"}] if number < last else []
    return searchset(condition(id=f"c-{number}"), link=[{"relation": "self", "url": "x"}, *link], total=last)


@pytest.mark.parametrize(
    ("pages", "arguments", "sent_count", "is_whole", "words"),
    [
        pytest.param(3, [], 3, True, "3 Condition", id="all of three"),
        pytest.param(3, ["--pages", "first"], 1, False, "only 1 page", id="the first, where that is asked"),
        pytest.param(25, [], 20, False, "only 20 pages", id="twenty of more"),
    ],
)
def test_pages_of_a_search_are_put_together(
    server: CallServer, pages: int, arguments: list[str], sent_count: int, is_whole: bool, words: str
) -> None:
    """R-2.85: where it is not all, the link to the next page says so."""
    server.answers["GET /fhir/Condition?patient=pat-1"] = reply(page(server, 1, pages))
    server.answers |= {f"GET /fhir/page-{n}": reply(page(server, n, pages)) for n in range(2, pages + 1)}
    result = call_helper(server, *arguments)
    problems = server.posted()[0].json["prefetch"]["problems"]
    assert len(problems["entry"]) == sent_count
    assert ("next" not in [link["relation"] for link in problems["link"]]) is is_whole
    assert words in result.stderr


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param(reply(b"", 500), "the FHIR server answers 500", id="that fails"),
        pytest.param(None, "its address is not below the FHIR base", id="on another host, which is not asked"),
    ],
)
def test_a_next_page_that_cannot_be_had_is_said_and_the_link_to_it_stays(
    server: CallServer, second: Answer | None, words: str
) -> None:
    elsewhere = "http://203.0.113.7" if second is None else None
    server.answers["GET /fhir/Condition?patient=pat-1"] = reply(page(server, 1, 2, elsewhere))
    if second:
        server.answers["GET /fhir/page-2"] = second
    result = call_helper(server, FHIR_TOKEN="s3cret")
    problems = server.posted()[0].json["prefetch"]["problems"]
    assert [link["relation"] for link in problems["link"]] == ["self", "next"]
    assert f"problems: only 1 page; the next one: {words}" in result.stderr


def test_a_fhir_token_is_used_for_our_reads_handed_to_the_service_and_never_shown(server: CallServer) -> None:
    """R-2.20 to R-2.27."""
    result = call_helper(server, FHIR_TOKEN="s3cret")
    sent = server.posted()[0]
    reads = [one for one in server.asked if one.path.startswith("/fhir/")]
    assert {one.headers["Authorization"] for one in reads} == {"Bearer s3cret"}
    assert [one.headers["Authorization"] for one in server.asked if one not in reads] == [None, None]
    assert sent.json["fhirServer"] == f"{server.url}/fhir"
    assert sent.json["fhirAuthorization"]["access_token"] == "s3cret"  # noqa: S105
    assert isinstance(sent.json["fhirAuthorization"]["expires_in"], int)
    assert "s3cret" not in result.stdout + result.stderr


def test_the_service_is_told_neither_server_nor_token_where_that_is_asked(server: CallServer) -> None:
    call_helper(server, "--no-fhir-server", FHIR_TOKEN="s3cret")
    assert server.posted()[0].json.keys() == {"hook", "hookInstance", "context", "prefetch"}


def test_a_card_that_breaks_the_specification_is_shown_and_its_faults_are_said(server: CallServer) -> None:
    """R-4.21 to R-4.58."""
    odd = {
        "summary": "x" * 140,
        "source": {},
        "detail": "",
        "suggestions": [{"actions": [{"type": "replace"}, {"type": "create", "description": "d"}]}],
        "overrideReasons": [{"code": "c", "system": "s"}],
        "links": [{"label": "Run", "url": "javascript:alert(1)", "type": "popup"}],
    }
    server.answers["POST /r4/cds-services/patient-greeting"] = reply(
        {"cards": [CARD, odd, "nonsense"], "systemActions": []}
    )
    result = greet(server)
    assert result.exit_code == 0
    faults = [line.removeprefix("Not valid CDS Hooks: ") for line in result.stderr.splitlines() if "Not valid" in line]
    assert faults == [
        "systemActions: empty or not a list",
        "card 2: the summary has 140 characters; it must have fewer than 140",
        "card 2: no indicator",
        "card 2: no source with a label",
        "card 2: the detail is empty or not text",
        "card 2: suggestions: one without label",
        "card 2: suggestions without a selectionBehavior of at-most-one or any",
        "card 2: the actions of a suggestion: a type that is not create, update or delete",
        "card 2: the actions of a suggestion: no description",
        "card 2: the actions of a suggestion: create without a resource",
        "card 2: overrideReasons: one without display",
        "card 2: a link is not an http or https URL",
        "card 2: the type of a link is not absolute or smart",
        "card 3: is not an object",
    ]
    assert "(no indicator) · card 2" in result.stdout


def test_what_a_service_asks_of_the_client_is_shown_with_what_it_acts_on(server: CallServer) -> None:
    action = {
        "type": "update",
        "description": "Rates it",
        "resource": {"resourceType": "ServiceRequest", "id": "draft-1"},
    }
    deletion = {"type": "delete", "description": "Removes it", "resourceId": "ServiceRequest/draft-2"}
    suggestion = {"label": "Other test", "uuid": "u", "isRecommended": True, "actions": [deletion]}
    card = CARD | {
        "suggestions": [suggestion],
        "selectionBehavior": "any",
        "overrideReasons": [{"code": "seen", "system": "s", "display": "Seen"}],
        "links": [{"label": "App", "url": "https://app.example.org/launch", "type": "smart"}],
    }
    server.answers["POST /r4/cds-services/patient-greeting"] = reply({"cards": [card], "systemActions": [action]})
    result = greet(server)
    assert "Not valid CDS Hooks" not in result.stderr
    for words in (
        "[ 1.1 Other test (recommended) ]",
        "delete ServiceRequest/draft-2: Removes it",
        "→ App: https://app.example.org/launch (a SMART app)",
        "Override reasons: seen",
        "update ServiceRequest/draft-1: Rates it",
    ):
        assert words in result.stdout


def test_nothing_of_a_server_steers_the_terminal_and_a_link_shows_where_it_leads(server: CallServer) -> None:
    evil = "a\x1b[2J\x07\x9b31m\u202e\udce9b"
    card = CARD | {
        "summary": evil,
        "indicator": evil,
        "source": {"label": evil},
        "detail": f"{evil} [our site](https://elsewhere.example.org/) [bold red]",
        "links": [{"label": evil, "url": evil, "type": evil}],
    }
    listed = DISCOVERY["services"][1]
    assert isinstance(listed, dict)
    discovery = {"services": [PATIENT_VIEW | {"title": evil, "prefetch": {evil: evil}}, listed | {"id": evil}]}
    server.answers["GET /r4/cds-services"] = reply(discovery)
    server.answers["POST /r4/cds-services/patient-greeting"] = reply({"cards": [card]})
    result = greet(server, "--fhir", f"{server.url}/fhir")
    assert result.exit_code == 0, result.stderr
    assert not set("\x1b\x07\x9b\u202e\udce9") & set(result.stdout + result.stderr)
    assert "our site (https://elsewhere.example.org/) [bold red]" in result.stdout
