"""`cds-service call` against services and FHIR servers that are not ours, well and badly behaved."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.call_server import CallServer, Play, hang_up, reply, silence
from tests.cds_service.test_call import STORED, call
from tests.cds_service.test_cli import COMMAND, free_port
from tests.certificates import self_signed, server_context
from tests.charts import condition, patient, searchset
from tests.misbehaving_server import LoopbackServer, answer

PATIENT_VIEW = {
    "hook": "patient-view",
    "id": "patient-greeting",
    "title": "Patient greeting",
    "description": "Greets",
    "prefetch": {"patientToGreet": "Patient/{{context.patientId}}"},
}
# The shape of the discovery documents of public sandbox services, with every kind of template that is met there.
DISCOVERY = {
    "services": [
        PATIENT_VIEW,
        {
            "hook": "order-select",
            "id": "order-helper",
            "description": "Helps",
            "prefetch": {
                "patient": "Patient/{{context.patientId}}",
                "problems": "Condition?patient={{ context.patientId }}",
                "user": "{{context.userId}}",
                "practitioner": "Practitioner/{{userPractitionerId}}",
                "self": "Patient/{{userPatientId}}",
                "encounter": "Encounter/{{context.encounterId}}",
                "drafts": "ServiceRequest?_id={{context.draftOrders}}",
                "role": "PractitionerRole?practitioner={{%user.id}}",
                "recent": "Observation?date=ge{{today() - 90 days}}",
                "elsewhere": "http://203.0.113.7/Patient/{{context.patientId}}",
                "broken": "Observation?patient={{context.patientId",
                "missing": "Coverage?patient={{context.patientId}}",
                "refused": "Immunization?patient={{context.patientId}}",
                "html": "Device?patient={{context.patientId}}",
                "outcome": "Consent?patient={{context.patientId}}",
                "nothing": "Goal?patient={{context.patientId}}",
            },
        },
        {"hook": "order-select", "id": "second", "description": "Comes second"},
        {"id": "no hook"},
        "nonsense",
    ]
}
CARD = {"summary": "Hello", "indicator": "info", "source": {"label": "Greeter"}}


def outcome(*issues: Any) -> dict[str, Any]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


@pytest.fixture
def server() -> Iterator[CallServer]:
    """A foreign CDS service at /r4, and a FHIR server at /fhir, that say hello."""
    one = CallServer()
    one.answers |= {
        "GET /r4/cds-services": reply(DISCOVERY),
        "POST /r4/cds-services/patient-greeting": reply({"cards": [CARD]}),
        "POST /r4/cds-services/order-helper": reply({"cards": []}),
        "GET /fhir/metadata": reply({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}),
        "GET /fhir/Patient/pat-1": reply(patient()),
        "GET /fhir/Condition?patient=pat-1": reply(searchset(condition())),
        "GET /fhir/Practitioner/7": reply({"resourceType": "Practitioner", "id": "7"}),
        "GET /fhir/Immunization?patient=pat-1": reply(
            {"resourceType": "OperationOutcome", "issue": [{"code": "forbidden", "diagnostics": "no scope for it"}]},
            403,
        ),
        "GET /fhir/Device?patient=pat-1": reply(b"<html>", Content_Type="text/html"),
        "GET /fhir/Consent?patient=pat-1": reply(outcome({"code": "timeout"})),
        "GET /fhir/Goal?patient=pat-1": reply(searchset()),
    }
    yield one
    one.close()


def call_helper(server: CallServer, *arguments: str, **variables: str) -> Result:
    """The order-select service of the foreign server, for a patient of its FHIR server."""
    return call(
        *("--service", f"{server.url}/r4", "--hook", "order-select", "--fhir", f"{server.url}/fhir"),
        *("--patient", "pat-1", "--order-text", "CT head", "--user", "Practitioner/7"),
        *arguments,
        **variables,
    )


def greet(server: CallServer, *arguments: str) -> Result:
    return call("--service", f"{server.url}/r4", "--hook", "patient-view", "--patient", "pat-1", *arguments)


def test_the_first_service_that_has_the_hook_is_called_and_the_others_are_named(server: CallServer) -> None:
    result = call_helper(server, "--no-prefetch")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        "Calling order-helper (order-select)",
        "  listed, too: patient-greeting (patient-view): Patient greeting",
        "  listed, too: second (order-select)",
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
    assert "Prefetch: 1 Patient, 1 Condition, 2 Practitioner; nothing there for nothing" in told
    assert told[4:] == [
        "  left out: self ({{userPatientId}}: the user is a Practitioner)",
        "  left out: encounter ({{context.encounterId}}: the context has none)",
        "  left out: drafts ({{context.draftOrders}} is no single id)",
        "  left out: role ({{%user.id}} refers to another key, which is not supported here)",
        "  left out: recent ({{today() - 90 days}} is FHIRPath or unknown, which is not supported here)",
        "  left out: elsewhere (its address is not below the FHIR base)",
        "  left out: broken (its braces do not match)",
        "  left out: missing (the FHIR server answers 404)",
        "  left out: refused (the FHIR server answers 403: no scope for it)",
        "  left out: html (the FHIR server answers with HTML or XML, no JSON)",
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
        pytest.param(3, ["--pages", "first"], 1, False, "only 1 page(s) of it", id="the first, where that is asked"),
        pytest.param(25, [], 20, False, "only 20 page(s) of it", id="twenty of more"),
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
    server: CallServer, second: Play | None, words: str
) -> None:
    elsewhere = "http://203.0.113.7" if second is None else None
    server.answers["GET /fhir/Condition?patient=pat-1"] = reply(page(server, 1, 2, elsewhere))
    if second:
        server.answers["GET /fhir/page-2"] = second
    result = call_helper(server, FHIR_TOKEN="s3cret")
    problems = server.posted()[0].json["prefetch"]["problems"]
    assert [link["relation"] for link in problems["link"]] == ["self", "next"]
    assert f"problems: only 1 page(s) of it; the next one: {words}" in result.stderr


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
    faults = [line.removeprefix("Not as CDS Hooks has it: ") for line in result.stderr.splitlines() if "Not as" in line]
    assert faults == [
        "systemActions: no list, or an empty one",
        "card 2: the summary has 140 characters; it must have fewer than 140",
        "card 2: no indicator",
        "card 2: no source with a label",
        "card 2: the detail is no text, or empty",
        "card 2: suggestions: one without label",
        "card 2: suggestions without a selectionBehavior of at-most-one or any",
        "card 2: the actions of a suggestion: a type that is not create, update or delete",
        "card 2: the actions of a suggestion: no description",
        "card 2: the actions of a suggestion: create without a resource",
        "card 2: overrideReasons: one without display",
        "card 2: a link is no http or https URL",
        "card 2: the type of a link is not absolute or smart",
        "card 3: is no object",
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
    assert "Not as" not in result.stderr
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


@pytest.mark.parametrize(
    ("discovery", "words"),
    [
        pytest.param(reply(b"<!doctype html>", Content_Type="text/html"), "with HTML or XML, no JSON", id="HTML"),
        pytest.param(reply(b"\n<Bundle/>", Content_Type="application/xml"), "with HTML or XML, no JSON", id="XML"),
        pytest.param(reply(b""), "with an empty body", id="nothing"),
        pytest.param(reply(b'{"services": ['), "no valid JSON (JSONDecodeError, line 1 column 15)", id="half of it"),
        pytest.param(reply(b'{"services": NaN}'), "no valid JSON (ValueError)", id="what only Python takes for JSON"),
        pytest.param(reply(b"[" * 100_000), "no valid JSON (RecursionError)", id="a nest without end"),
        pytest.param(reply({"resourceType": "Bundle"}), "JSON without a list of services", id="a FHIR resource"),
        pytest.param(reply(["services"]), "JSON without a list of services", id="a list"),
        pytest.param(reply(b"", 404), "discovery answered 404", id="a 404"),
        pytest.param(reply(b"", 503, Retry_After="60"), "called again after 60", id="a 503 that says when"),
        pytest.param(
            reply(b"", 302, Location="https://a.example.org/?s=1"), "points to https://a.example.org/:", id="302"
        ),
        pytest.param(hang_up, "broke the connection off before its answer was complete", id="half an answer"),
        pytest.param(silence, "did not answer within 0.3 s", id="silence"),
    ],
)
def test_what_is_no_cds_service_is_said_to_be_none(server: CallServer, discovery: Play, words: str) -> None:
    server.answers["GET /r4/cds-services"] = discovery
    result = greet(server, "--timeout", "0.3" if discovery is silence else "10")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cds-service: cannot call: ")
    assert words in result.stderr
    assert [one.method for one in server.asked] == ["GET"]  # no redirect was followed


@pytest.mark.parametrize(
    ("played", "words"),
    [
        pytest.param(reply(b"<html>", 200), "the service answered 200 with HTML or XML, no JSON", id="200 with HTML"),
        pytest.param(reply(b"", 204), "the service answered 204: no answer with cards", id="204"),
        pytest.param(reply(b"", 307, Location="/x"), "it sends the caller elsewhere, which is not followed", id="307"),
        pytest.param(reply({"message": "no\x1b[2J"}, 400), "It says: no[2J", id="400 with a message of its own"),
        pytest.param(reply({"error": "bad"}, 401), "No token was sent: --sign-with", id="401 without a token"),
        pytest.param(reply(b"", 403), "this client is not allowed to call it", id="403"),
        pytest.param(reply(b"", 404), "It lists second (order-select)", id="404, with the list"),
        pytest.param(reply(b"", 405, Allow="GET"), "It takes GET.", id="405"),
        pytest.param(
            reply({"issue": [{"details": {"text": "no data"}, "expression": ["Patient"]}, 7]}, 412),
            "It says: no data (at Patient)",
            id="412 with the words of an OperationOutcome",
        ),
        pytest.param(reply(b"", 413), "the request is too large", id="413"),
        pytest.param(reply(b"", 429, Retry_After="9"), "It asks to be called again after 9.", id="429"),
        pytest.param(reply(b"Traceback", 500), "the service answered 500: it broke on its side", id="500"),
        pytest.param(hang_up, "broke the connection off", id="half an answer"),
    ],
)
def test_an_answer_without_cards_is_told_in_words(server: CallServer, played: Play, words: str) -> None:
    server.answers["POST /r4/cds-services/patient-greeting"] = played
    result = greet(server)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert "\x1b" not in result.stderr
    assert len(server.posted()) == 1


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        pytest.param([], "the answer is no JSON object", id="a list"),
        pytest.param({}, "the answer has no list of cards", id="an empty object"),
        pytest.param({"cards": None}, "the answer has no list of cards", id="null for cards"),
    ],
)
def test_an_answer_of_another_shape_is_silence_with_a_fault(server: CallServer, document: Any, fault: str) -> None:
    server.answers["POST /r4/cds-services/patient-greeting"] = reply(document)
    result = greet(server)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "No card: the service is silent.")
    assert f"Not as CDS Hooks has it: {fault}" in result.stderr


def test_a_service_named_by_its_own_address_is_called_even_where_discovery_is_closed(server: CallServer) -> None:
    server.answers["GET /r4/cds-services"] = reply(b"", 403)
    result = call("--service", f"{server.url}/r4/cds-services/patient-greeting", "--request", STORED)
    assert result.exit_code == 0
    assert "discovery answered 403" in result.stderr
    assert "without prefetch" in result.stderr


@pytest.mark.parametrize("role", ["service", "FHIR server"])
def test_where_nothing_listens_that_is_said(server: CallServer, role: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    if role == "service":
        result = call("--service", nowhere, "--request", STORED)
    else:
        result = call(
            *("--service", f"{server.url}/r4", "--hook", "order-select", "--patient", "1", "--order-text", "CT"),
            *("--fhir", f"{nowhere}/fhir"),
        )
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"nothing listens at {nowhere}" in result.stderr


def test_a_name_that_nobody_has_is_said_to_be_unknown() -> None:
    result = call("--service", "http://nobody.invalid", "--request", STORED)
    assert result.exit_code == 1
    assert "no such host: nobody.invalid" in result.stderr


def test_tls_where_there_is_none_says_what_to_write(server: CallServer) -> None:
    result = call("--service", server.url.replace("http:", "https:"), "--request", STORED)
    assert result.exit_code == 1
    assert "does not speak TLS" in result.stderr
    assert "write http://" in result.stderr


def test_a_certificate_that_nobody_vouches_for_is_said_and_how_to_vouch_for_it(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "127.0.0.1")
    secure = LoopbackServer(tls=server_context(certificate))
    secure.answers["/fhir/cds-services"] = answer({"services": []})
    try:
        distrusted = call("--service", secure.base, "--request", STORED)
        trusted = call("--service", secure.base, "--request", STORED, REQUESTS_CA_BUNDLE=str(certificate))
    finally:
        secure.close()
    assert f"TLS with {secure.base.removesuffix('/fhir')} failed: self-signed certificate" in distrusted.stderr
    assert "REQUESTS_CA_BUNDLE" in distrusted.stderr
    assert "no service with the hook order-sign is listed there" in trusted.stderr


def test_a_netrc_file_adds_no_password(server: CallServer, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password CANARY\n")
    assert call_helper(server, NETRC=str(netrc)).exit_code == 0
    assert {one.headers["Authorization"] for one in server.asked} == {None}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        pytest.param(reply(b"", 401), "/fhir/metadata: the FHIR server answers 401", id="401"),
        pytest.param(reply(b"<html>"), "answers with HTML or XML, no JSON", id="HTML"),
        pytest.param(reply({"a": 1}), "JSON that is no FHIR resource", id="other JSON"),
        pytest.param(
            reply({"resourceType": "CapabilityStatement", "fhirVersion": "0.5.0"}),
            "names no version that we know: 0.5.0",
            id="a version that we do not know",
        ),
    ],
)
def test_a_fhir_server_that_does_not_tell_its_version_ends_the_call(
    server: CallServer, metadata: Play, words: str
) -> None:
    server.answers["GET /fhir/metadata"] = metadata
    result = call_helper(server)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "--fhir-version" in result.stderr
    assert server.posted() == []
    assert call_helper(server, "--fhir-version", "R4").exit_code == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "answers 401; FHIR_TOKEN may hold a token for it)", id="without a token: where to put one"),
        pytest.param({"FHIR_TOKEN": "s3cret"}, "answers 401)", id="with a token: nothing more"),
    ],
)
def test_a_fhir_server_that_wants_a_token_is_said_to(server: CallServer, variables: dict[str, str], words: str) -> None:
    server.answers["GET /fhir/Condition?patient=pat-1"] = reply(b"", 401)
    assert f"  left out: problems (the FHIR server {words}" in call_helper(server, **variables).stderr


def test_a_slow_service_is_waited_for_in_sight_and_the_answer_stays_clean(server: CallServer) -> None:
    """On a terminal, that is; elsewhere no line is added, as the other tests show."""
    greeting = server.answers["POST /r4/cds-services/patient-greeting"]

    def slowly(handler: Any) -> None:
        time.sleep(0.5)
        greeting(handler)

    server.answers["POST /r4/cds-services/patient-greeting"] = slowly
    arguments = ["call", "--service", f"{server.url}/r4", "--hook", "patient-view", "--patient", "pat-1", "--json"]
    ours, theirs = pty.openpty()
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs) as process:  # noqa: S603
        os.close(theirs)
        assert process.stdout
        answered = process.stdout.read()
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert json.loads(answered) == {"cards": [CARD]}
    assert f"waiting for {server.url}/r4/cds-services/patient-greeting" in seen


def test_a_slow_key_costs_only_itself(server: CallServer) -> None:
    server.answers["GET /fhir/Condition?patient=pat-1"] = silence
    result = call_helper(server, "--timeout", "0.5")
    assert result.exit_code == 0
    assert "  left out: problems (" in result.stderr
    assert "did not answer within 0.5 s" in result.stderr
    assert "patient" in json.loads(server.posted()[0].body)["prefetch"]
