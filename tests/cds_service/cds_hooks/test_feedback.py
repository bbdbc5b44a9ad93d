"""Feedback: what may be sent, what is stored, and that nothing invalid is stored or repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK
from tests.charts import SERVICE, hook_call, post
from tests.databases import LiveDatabase
from tests.places import FIXTURES

RECORDED = FIXTURES / "recorded_calls"
CANARY = "Zq7Canary"
CARD = "f835ac81-4e47-4e5b-af0b-1ba25842dec1"
TAKEN = "98b5a788-912c-4859-a1c4-782d6fc99340"
AT = "2026-11-22T15:31:47.815Z"
AT_MS = 1_795_361_507_815
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
REASON = {"system": REASONS, "code": "action-completed"}


def entry(**elements: Any) -> dict[str, Any]:
    """An override without a reason; `elements` replace parts of it, None leaves one out."""
    whole = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": AT} | elements
    return {name: value for name, value in whole.items() if value is not None}


def acceptance(*suggestions: str, **elements: Any) -> dict[str, Any]:
    taken = [{"id": one} for one in suggestions or (TAKEN,)]
    return entry(**{"outcome": "accepted", "acceptedSuggestions": taken} | elements)


def send(client: FlaskClient, body: Any) -> TestResponse:
    return client.post(f"{SERVICE}/feedback", json=body)


def batch(*entries: Any) -> dict[str, Any]:
    return {"feedback": list(entries)}


@pytest.fixture
def serve(database: LiveDatabase, make_app: Callable[..., Flask]) -> Callable[..., FlaskClient]:
    """The application on the database of the test, with other settings."""
    return lambda **settings: make_app(database_url=database.url, threads=4, **settings).test_client()


@pytest.fixture
def client(serve: Callable[..., FlaskClient]) -> FlaskClient:
    return serve()


def issue(client: FlaskClient) -> dict[str, Any]:
    """A card that was answered a moment ago."""
    (card,) = post(client, hook_call()).get_json()["cards"]
    return dict(card)


@pytest.mark.parametrize(
    "name", [path.stem for path in sorted(RECORDED.glob("*feedback*.json")) if "preflight" not in path.stem]
)
def test_recorded_feedback_is_stored_once_however_often_it_comes(
    name: str, client: FlaskClient, database: LiveDatabase
) -> None:
    """R-5.8, R-5.11, R-5.12: what the reference client sent, on cards that this database has never seen."""
    sent = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))["request"]["body"]
    (one,) = sent["feedback"]
    answers = [send(client, sent) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.get_json() for answer in answers] == [
        {"stored": 1, "repeated": 0, "unknownCards": 1},
        {"stored": 0, "repeated": 1, "unknownCards": 1},
        {"stored": 0, "repeated": 1, "unknownCards": 1},
    ]
    (row,) = database.rows(FEEDBACK)
    assert (row["card_uuid"], row["outcome"], row["foreign_card"]) == (one["card"], one["outcome"], True)
    assert row["reason_code"] == one.get("overrideReason", {}).get("reason", {}).get("code")
    taken = [row["suggestion_uuid"] for row in database.rows(ACCEPTED_SUGGESTION)]
    assert taken == [suggestion["id"] for suggestion in one.get("acceptedSuggestions", [])]


TAKEN_AS_SENT = [
    pytest.param(batch(entry()), [("overridden", AT_MS, None, None)], id="an override without a reason"),
    pytest.param(
        batch(entry(overrideReason={"reason": REASON | {"display": "Done"}})),
        [("overridden", AT_MS, REASONS, "action-completed")],
        id="an override with a reason, its display sent too",
    ),
    pytest.param(
        batch(entry(overrideReason={"reason": {"system": "urn:own", "code": "own"}})),
        [("overridden", AT_MS, "urn:own", "own")],
        id="a reason of the client's own (R-5.6)",
    ),
    pytest.param(
        batch(entry(overrideReason={"userComment": "busy"})),
        [("overridden", AT_MS, None, None)],
        id="an override with nothing but a comment",
    ),
    pytest.param(
        batch(entry(overrideReason=None, acceptedSuggestions=[])),
        [("overridden", AT_MS, None, None)],
        id="an override that says that nothing was accepted",
    ),
    pytest.param(batch(acceptance()), [("accepted", AT_MS, None, None)], id="an acceptance"),
    pytest.param(
        batch(acceptance(overrideReason={"reason": REASON})),
        [("accepted", AT_MS, None, None)],
        id="an acceptance with a reason, which it cannot have",
    ),
    pytest.param(entry(), [("overridden", AT_MS, None, None)], id="the bare item of older clients"),
    pytest.param(entry(service="x", feedbackType="y"), [("overridden", AT_MS, None, None)], id="a bare item with more"),
    pytest.param(batch(), [], id="an empty list"),
    pytest.param(
        batch(entry(), acceptance(outcomeTimestamp="2026-11-22T15:31:48.815Z")),
        [("accepted", AT_MS + 1000, None, None), ("overridden", AT_MS, None, None)],
        id="a card that was ignored now and accepted later (R-5.10)",
    ),
    pytest.param(
        batch(entry(), entry(overrideReason={"reason": REASON}), entry()),
        [("overridden", AT_MS, None, None)],
        id="a repeat within the batch: the first counts",
    ),
    pytest.param(
        batch(entry(card=CARD.upper(), outcomeTimestamp="2026-11-22T16:31:47.815+01:00"), entry()),
        [("overridden", AT_MS, None, None)],
        id="a repeat in other letters and another offset (R-5.7)",
    ),
    pytest.param(
        batch(entry(outcomeTimestamp="2026-11-22t15:31:47.815999z")),
        [("overridden", AT_MS + 1, None, None)],
        id="a time in small letters and microseconds",
    ),
    pytest.param(
        batch(entry(outcomeTimestamp="0001-01-01T00:00:00+14:00"), entry(outcomeTimestamp="9999-12-31T23:59:59-14:00")),
        [("overridden", -62_135_647_200_000, None, None), ("overridden", 253_402_351_199_000, None, None)],
        id="times at the ends of the calendar",
    ),
]


@pytest.mark.parametrize(("body", "stored"), TAKEN_AS_SENT)
def test_feedback_is_stored(
    body: Any, stored: list[tuple[Any, ...]], client: FlaskClient, database: LiveDatabase
) -> None:
    """R-5.2 to R-5.8, R-5.10, R-5.11."""
    answer = send(client, body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    members = ("outcome", "outcome_at_ms", "reason_system", "reason_code")
    rows = [tuple(row[member] for member in members) for row in database.rows(FEEDBACK)]
    assert sorted(rows, key=str) == sorted(stored, key=str)
    assert answer.get_json()["stored"] == len(stored)


CARD_ADVICE = "send the uuid of the card"
OUTCOME_ADVICE = "send accepted or overridden"
TIME_ADVICE = "send an RFC 3339 date-time such as 2026-11-22T15:31:45Z"
TAKEN_ADVICE = "send a list of objects, each with the uuid of a suggestion as its id"
REASON_ADVICE = "send an object with a reason (code and system, of up to 200 characters) or a userComment"

WRONG_ENTRIES = [
    pytest.param(entry(card=None), ".card", CARD_ADVICE, id="without a card"),
    pytest.param(entry(card=CANARY), ".card", CARD_ADVICE, id="with a card that is no uuid"),
    pytest.param(entry(card=7), ".card", CARD_ADVICE, id="with a number for a card"),
    pytest.param(entry(outcome=None), ".outcome", OUTCOME_ADVICE, id="without an outcome"),
    pytest.param(entry(outcome="ignored"), ".outcome", OUTCOME_ADVICE, id="with an outcome there is not (R-5.4)"),
    pytest.param(entry(outcome=CANARY), ".outcome", OUTCOME_ADVICE, id="with nonsense for an outcome"),
    pytest.param(entry(outcomeTimestamp=None), ".outcomeTimestamp", TIME_ADVICE, id="without a time"),
    pytest.param(entry(outcomeTimestamp=CANARY), ".outcomeTimestamp", TIME_ADVICE, id="with nonsense for a time"),
    pytest.param(entry(outcomeTimestamp="2026-11-22"), ".outcomeTimestamp", TIME_ADVICE, id="with a day for a time"),
    pytest.param(
        entry(outcomeTimestamp="2026-11-22T15:31:47"), ".outcomeTimestamp", TIME_ADVICE, id="with a time of no zone"
    ),
    pytest.param(
        entry(outcomeTimestamp=1_795_361_507), ".outcomeTimestamp", TIME_ADVICE, id="with a number for a time"
    ),
    pytest.param(
        entry(outcome="accepted"), ".acceptedSuggestions", TAKEN_ADVICE, id="accepted, without what was (R-5.5)"
    ),
    pytest.param(
        entry(outcome="accepted", acceptedSuggestions=[]),
        ".acceptedSuggestions",
        TAKEN_ADVICE,
        id="accepted, with an empty list of what was",
    ),
    pytest.param(
        entry(outcome="accepted", acceptedSuggestions=[{"id": CANARY}]),
        ".acceptedSuggestions[0].id",
        TAKEN_ADVICE,
        id="with a suggestion that is no uuid",
    ),
    pytest.param(
        entry(outcome="accepted", acceptedSuggestions=[{"uuid": TAKEN}]),
        ".acceptedSuggestions[0].id",
        TAKEN_ADVICE,
        id="with a suggestion without an id",
    ),
    pytest.param(
        entry(outcome="accepted", acceptedSuggestions=TAKEN),
        ".acceptedSuggestions",
        TAKEN_ADVICE,
        id="with a suggestion where a list of them belongs",
    ),
    pytest.param(entry(overrideReason=CANARY), ".overrideReason", REASON_ADVICE, id="with words for a reason"),
    pytest.param(
        entry(overrideReason={"reason": {"system": REASONS}}),
        ".overrideReason.reason.code",
        REASON_ADVICE,
        id="with a reason without a code",
    ),
    pytest.param(
        entry(overrideReason={"reason": {"code": CANARY}}),
        ".overrideReason.reason.system",
        REASON_ADVICE,
        id="with a reason without a system",
    ),
    pytest.param(
        entry(overrideReason={"reason": REASON | {"code": CANARY * 30}}),
        ".overrideReason.reason.code",
        REASON_ADVICE,
        id="with a code that is as long as a story",
    ),
    pytest.param(
        entry(overrideReason={"reason": REASON | {"code": f"{CANARY}\0"}}),
        ".overrideReason.reason.code",
        REASON_ADVICE,
        id="with a character in a code that no code has",
    ),
    pytest.param(
        entry(overrideReason={"userComment": [CANARY]}),
        ".overrideReason.userComment",
        REASON_ADVICE,
        id="with a list for a comment",
    ),
    pytest.param(CANARY, "", "https://cds-hooks.hl7.org/2.0/#feedback describes the body", id="that is a text"),
    pytest.param(None, "", "https://cds-hooks.hl7.org/2.0/#feedback describes the body", id="that is null"),
]


@pytest.mark.parametrize(("wrong", "where", "advice"), WRONG_ENTRIES)
def test_one_wrong_entry_refuses_the_batch_and_is_named_by_its_index(
    wrong: Any, where: str, advice: str, make_app: Callable[..., Flask], sqlite_database: LiveDatabase
) -> None:
    """R-5.9, R-5.10. What was sent is repeated neither to the client nor to the log: it may be about a patient."""
    client = make_app(database_url=sqlite_database.url).test_client()
    with capture_logs() as events:
        answer = send(client, batch(entry(), acceptance(), wrong, entry(card=TAKEN)))
    (issue,) = answer.get_json()["issue"]
    assert answer.status_code == 400
    assert issue["expression"] == [f"feedback[2]{where}"]
    assert issue["diagnostics"].startswith(f"feedback[2]{where} is ")
    assert issue["diagnostics"].endswith(f": {advice}; no entry was stored")
    assert CANARY not in answer.get_data(as_text=True) + str(events)
    assert sqlite_database.rows(FEEDBACK) == []


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"Zq7Canary", None, id="no JSON"),
        pytest.param(b"[]", None, id="a list"),
        pytest.param(b'"Zq7Canary"', None, id="a text"),
        pytest.param(b"{}", ["feedback"], id="an object without feedback"),
        pytest.param(b'{"Zq7Canary": 1}', ["feedback"], id="an object with something else"),
        pytest.param(b'{"feedback": null}', None, id="null for the list"),
        pytest.param(b'{"feedback": {"card": "Zq7Canary"}}', None, id="an entry for the list"),
        pytest.param(b'{"feedback": [{"card": ]}', None, id="broken JSON in an entry"),
        pytest.param(b'{"feedback": [{"card": "\xff"}]}', ["feedback[0].card"], id="no UTF-8 in an entry"),
        pytest.param(b'{"feedback": [{"overrideReason": {"userComment": "\\ud800"}}]}', None, id="half a character"),
        pytest.param(b'{"feedback": [' + b"[" * 500 + b"]" * 500 + b"]}", ["feedback"], id="five hundred levels"),
        pytest.param(b'{"card": "Zq7Canary"}', ["card"], id="a bare item that is wrong"),
        pytest.param(b'{"card": "f835ac81-4e47-4e5b-af0b-1ba25842dec1"}', ["outcome"], id="a bare item that is short"),
        pytest.param(json.dumps({"feedback": [entry()] * 1001}).encode(), None, id="more entries than are taken"),
    ],
)
def test_a_body_that_is_no_feedback_is_refused(
    body: bytes, expression: list[str] | None, make_app: Callable[..., Flask], sqlite_database: LiveDatabase
) -> None:
    """R-5.9: 400, and neither 500 nor 200."""
    client = make_app(database_url=sqlite_database.url).test_client()
    answer = client.post(f"{SERVICE}/feedback", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0].get("expression") == expression
    assert CANARY not in answer.get_data(as_text=True)
    assert sqlite_database.rows(FEEDBACK) == []


def test_a_full_batch_is_stored_whole(client: FlaskClient, database: LiveDatabase) -> None:
    many = [entry(card=f"f835ac81-4e47-4e5b-af0b-{number:012}") for number in range(1_000)]
    assert send(client, batch(*many)).get_json() == {"stored": 1000, "repeated": 0, "unknownCards": 1000}
    assert len(database.rows(FEEDBACK)) == 1_000


def test_feedback_for_no_service_of_ours_is_404(client: FlaskClient) -> None:
    assert client.post("/cds-services/nope/feedback", json=batch(entry())).status_code == 404


@pytest.mark.parametrize(
    ("reason", "foreign"),
    [
        pytest.param(REASON, False, id="one that the card offered"),
        pytest.param(REASON | {"code": "own"}, True, id="another code of the same system"),
        pytest.param(REASON | {"system": "urn:own"}, True, id="the same code of another system"),
    ],
)
def test_a_reason_that_no_card_offered_is_marked(
    reason: dict[str, str], foreign: bool, client: FlaskClient, database: LiveDatabase
) -> None:
    card = issue(client)["uuid"]
    assert send(client, batch(entry(card=card, overrideReason={"reason": reason}))).status_code == 200
    (row,) = database.rows(FEEDBACK)
    assert (row["foreign_card"], row["foreign_reason"]) == (False, foreign)


def test_a_suggestion_that_the_card_did_not_offer_is_marked(client: FlaskClient, database: LiveDatabase) -> None:
    card = issue(client)
    offered = card["suggestions"][0]["uuid"]
    answer = send(client, batch(acceptance(offered, TAKEN, offered, card=card["uuid"])))
    assert answer.get_json() == {"stored": 1, "repeated": 0, "unknownCards": 0}
    marked = {row["suggestion_uuid"]: row["foreign_suggestion"] for row in database.rows(ACCEPTED_SUGGESTION)}
    assert marked == {offered: False, TAKEN: True}


@pytest.mark.parametrize(
    ("settings", "written", "stored"),
    [
        pytest.param({}, "no pain at all", None, id="not stored by default"),
        pytest.param({"store_comments": True}, "no pain at all", "no pain at all", id="stored where a setting says so"),
        pytest.param({"store_comments": True}, "x" * 5_000, "x" * 2_000, id="no more than 2,000 characters"),
        pytest.param({"store_comments": True}, "a\0b\x1b[2Jc\nd\te", "a b [2Jc\nd\te", id="no control characters"),
        pytest.param({"store_comments": True}, "", None, id="an empty one is none"),
        pytest.param({"store_comments": True}, "Größe 😀", "Größe 😀", id="of any language"),
    ],
)
def test_what_the_user_wrote(
    settings: dict[str, Any],
    written: str,
    stored: str | None,
    serve: Callable[..., FlaskClient],
    database: LiveDatabase,
) -> None:
    """R-5.14."""
    with capture_logs() as events:
        assert send(serve(**settings), batch(entry(overrideReason={"userComment": written}))).status_code == 200
    assert [row["user_comment"] for row in database.rows(FEEDBACK)] == [stored]
    assert not written or written not in str(events)


def test_what_is_logged_of_feedback(client: FlaskClient) -> None:
    card = issue(client)["uuid"]
    secret = {"reason": {"system": CANARY, "code": CANARY}, "userComment": CANARY}
    with capture_logs() as events:
        send(client, batch(entry(card=card, overrideReason=secret), entry(overrideReason=secret), entry()))
    (event,) = events
    told = {name: value for name, value in event.items() if name.startswith("cds_hooks.feedback")}
    assert told == {
        "cds_hooks.feedback.new": 2,
        "cds_hooks.feedback.repeated": 1,
        "cds_hooks.feedback.unknown_card": 2,
        "cds_hooks.feedback.overridden": 3,
    }
    assert (event["event"], event["cds_hooks.outcome"]) == ("cds_hooks.feedback", "stored")
    assert CANARY not in str(events)
