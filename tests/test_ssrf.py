"""Whatever a call or a FHIR server says, only the FHIR server of the call is contacted, and the call is answered.

Through the whole application, over real sockets. Beside the FHIR server stands a canary, which nobody may contact; and
no name but that of the FHIR server may be looked up. R-2.26, R-2.27, R-3.13, R-6.17; design.md 6.
"""

from __future__ import annotations

import gzip
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.charts import Json, cards_of, condition, hook_call, order, patient, post, prefetch, procedure, searchset
from tests.conftest import NOW
from tests.misbehaving_server import HTTP_OK, Answer, Handler, LoopbackServer, answer, never_ending, raw
from tests.work_ups import MRI, PUNCTURE, referring

MADE_UP = "made-up-token-for-these-tests"
BEARER = {"access_token": MADE_UP, "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
SEARCH = "/fhir/Condition?patient=pat-1&_count=500"
NOT_CHECKED = "**Not checked:** the patient's conditions could not be read"
ONLY_A_PART = "**Not fully checked:** only a part of the patient's conditions"
BUDGET_MS = 4_000
SHORT_BUDGET_MS = 250
Connect = Callable[..., FlaskClient]


@pytest.fixture
def fhir() -> Iterator[LoopbackServer]:
    """The FHIR server of the call: without anything to say but who the patient is."""
    one = LoopbackServer()
    one.answers["/fhir/Patient/pat-1"] = answer(patient())
    yield one
    one.close()


@pytest.fixture
def canary() -> Iterator[LoopbackServer]:
    """Another server on the same machine; a test fails where anybody as much as connects to it."""
    one = LoopbackServer()
    yield one
    one.close()
    assert one.connection_count == 0


@pytest.fixture(autouse=True)
def only_the_fhir_server_is_looked_up(fhir: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every address that anything in this process is about to connect to."""
    looked_up: list[tuple[Any, Any]] = []
    look_up = socket.getaddrinfo

    def watched(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        looked_up.append((host, port))
        return look_up(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    yield
    assert {host for host, _ in looked_up} <= {"127.0.0.1", "localhost"}
    assert {port for _, port in looked_up} <= {fhir.port}


@pytest.fixture(scope="module")
def connect(empty_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """The application with the network it has in production; one for each budget, for each FHIR server is another."""
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    shutil.copyfile(empty_ledger, ledger)
    apps: dict[int, Flask] = {}

    def make(budget_ms: int = BUDGET_MS) -> FlaskClient:
        if budget_ms not in apps:
            settings = Settings(database_url=f"sqlite:///{ledger}", fhir_budget_ms=budget_ms)
            apps[budget_ms] = create_app(settings, clock=lambda: NOW)
        return apps[budget_ms].test_client()

    yield make
    for app in apps.values():
        app.extensions["database"].close()


@pytest.fixture
def client(connect: Connect) -> FlaskClient:
    return connect()


def asking(server: str, **elements: Any) -> Json:
    """A call without conditions in its prefetch, for an LP order, that says this is its FHIR server."""
    given = {key: value for key, value in prefetch().items() if key != "conditions"}
    return hook_call(prefetch=given, fhirServer=server, fhirAuthorization=BEARER) | elements


def with_next(url: str) -> Json:
    """A first page with one Condition that says where the second is."""
    return searchset(condition(), link=[{"relation": "next", "url": url}])


def fill(template: str, fhir: LoopbackServer, canary: LoopbackServer) -> str:
    return template.replace("GOOD", f"127.0.0.1:{fhir.port}").replace("PORT", str(canary.port))


ADDRESSES = [  # GOOD: host and port of the FHIR server; PORT: the canary's
    pytest.param("http://GOOD@127.0.0.1:PORT/fhir", id="the server as the user of another"),
    pytest.param("http://GOOD:80@127.0.0.1:PORT/fhir", id="the server and a port as user and password of another"),
    pytest.param("http://GOOD#@127.0.0.1:PORT/fhir", id="a fragment that hides an at sign"),
    pytest.param("http://GOOD?@127.0.0.1:PORT/fhir", id="a query that hides an at sign"),
    pytest.param("http://GOOD\\@127.0.0.1:PORT/fhir", id="a backslash that hides an at sign"),
    pytest.param("http://127.0.0.1:PORT\\@GOOD/fhir", id="a backslash before an at sign"),
    pytest.param("http://127.0.0.1:PORT#@GOOD/fhir", id="a fragment before an at sign"),
    pytest.param("http://user:secret@127.0.0.1:PORT/fhir", id="user and password"),
    pytest.param("http:\\\\127.0.0.1:PORT\\fhir", id="backslashes for slashes"),
    pytest.param("http://127.0.0.1:PORT/fhir\\..\\admin", id="a step up by backslashes"),
    pytest.param("http://127.0.\t0.1:PORT/fhir", id="a tab inside"),
    pytest.param("http://127.0.0.1:PORT/fhir\r\nHost: GOOD", id="a header inside"),
    pytest.param("\nhttp://127.0.0.1:PORT/fhir", id="a line break before"),
    pytest.param("http://127.0.0.1:PORT/fhir\x00", id="a null byte"),
    pytest.param("http://127\u30020\u30020\u30021:PORT/fhir", id="ideographic full stops"),
    pytest.param("http://127\uff0e0\uff0e0\uff0e1:PORT/fhir", id="full-width dots"),
    pytest.param("http://\uff11\uff12\uff17.0.0.1:PORT/fhir", id="full-width digits"),
    pytest.param("http://\u2460\u2461\u2466.0.0.1:PORT/fhir", id="digits in circles"),
    pytest.param("http://loc\u200balhost:PORT/fhir", id="a space of no width"),
    pytest.param("http://\u24c1ocalhost:PORT/fhir", id="a letter in a circle"),
    pytest.param("http://2130706433:PORT/fhir", id="127.0.0.1 as one number"),
    pytest.param("http://0x7f000001:PORT/fhir", id="127.0.0.1 as one hexadecimal number"),
    pytest.param("http://017700000001:PORT/fhir", id="127.0.0.1 as one octal number"),
    pytest.param("http://0x7f.0.0.1:PORT/fhir", id="127.0.0.1 in hexadecimal"),
    pytest.param("http://0177.0.0.1:PORT/fhir", id="127.0.0.1 in octal"),
    pytest.param("http://127.1:PORT/fhir", id="127.0.0.1 in short"),
    pytest.param("http://127.0.0.1.:PORT/fhir", id="127.0.0.1 with a dot after"),
    pytest.param("http://localhost.:PORT/fhir", id="localhost with a dot after"),
    pytest.param("http://%6cocalhost:PORT/fhir", id="localhost, percent-encoded"),
    pytest.param("http://localhost.localdomain:PORT/fhir", id="a name that may lead to this machine"),
    pytest.param("http://ip6-localhost:PORT/fhir", id="another name that may lead to this machine"),
    pytest.param("http://[::ffff:127.0.0.1]:PORT/fhir", id="127.0.0.1 as an IPv6 address"),
    pytest.param("http://[::ffff:7f00:1]:PORT/fhir", id="127.0.0.1 as an IPv6 address, in hexadecimal"),
    pytest.param("http://[::127.0.0.1]:PORT/fhir", id="127.0.0.1 as an old IPv6 address"),
    pytest.param("http://[64:ff9b::7f00:1]:PORT/fhir", id="127.0.0.1 behind NAT64"),
    pytest.param("http://[::1%25lo]:PORT/fhir", id="::1 with a zone"),
    pytest.param("http://0.0.0.0:PORT/fhir", id="every address of this machine"),
    pytest.param("http://[::]:PORT/fhir", id="every address of this machine, IPv6"),
    pytest.param("http://169.254.169.254/latest/meta-data", id="the metadata of a cloud"),
    pytest.param("http://10.0.0.1/fhir", id="a private network"),
    pytest.param("http://127.0.0.1:PORT/fhir/../admin", id="a step up"),
    pytest.param("http://127.0.0.1:PORT/fhir/%2e%2e/admin", id="a step up, percent-encoded"),
    pytest.param("http://127.0.0.1:PORT/fhir/..;/admin", id="a step up with a parameter"),
    pytest.param("http://127.0.0.1:PORT//fhir", id="two slashes before the path"),
    pytest.param("http://127.0.0.1:PORT/fhir?x=", id="a query that swallows what we add"),
    pytest.param("http://127.0.0.1:PORT/fhir#", id="a fragment that swallows what we add"),
    pytest.param("http://127.0.0.1:0PORT/fhir", id="a port with a zero before"),
    pytest.param("http://127.0.0.1:PORT:80/fhir", id="two ports"),
    pytest.param("file:///etc/hostname", id="a file"),
    pytest.param("ftp://127.0.0.1:PORT/fhir", id="ftp"),
    pytest.param("gopher://127.0.0.1:PORT/_GET", id="gopher"),
    pytest.param("data:application/fhir+json,{}", id="data"),
    pytest.param("http+unix://%2fvar%2frun%2fdocker.sock/fhir", id="a socket of this machine"),
    pytest.param("//127.0.0.1:PORT/fhir", id="no scheme, but slashes"),
    pytest.param("127.0.0.1:PORT/fhir", id="no scheme"),
    pytest.param("http:/127.0.0.1:PORT/fhir", id="one slash"),
    pytest.param("http:///127.0.0.1:PORT/fhir", id="three slashes"),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_not_plainly_a_server_we_may_read_is_contacted_by_nobody(
    address: str, client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    cards = cards_of(client, asking(fill(address, fhir, canary)))
    assert NOT_CHECKED in cards["what-to-expect"]["detail"]
    assert fhir.connection_count == 0


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("http://127.0.0.1:PORT/fhir", id="as it is"),
        pytest.param("http://127.0.0.1:PORT/fhir/", id="a slash at the end"),
        pytest.param("http://127.0.0.1:PORT/fhir///", id="slashes at the end"),
        pytest.param("HTTP://127.0.0.1:PORT/fhir", id="the scheme in capitals"),
        pytest.param("http://LocalHost:PORT/fhir", id="the host in capitals"),
    ],
)
def test_the_same_server_by_another_spelling_is_read_with_the_token(
    address: str, client: FlaskClient, fhir: LoopbackServer
) -> None:
    fhir.answers[SEARCH] = answer(searchset(condition()))
    assert "confounders" in cards_of(client, asking(address.replace("PORT", str(fhir.port))))
    assert [(one.path, one.headers["Authorization"]) for one in fhir.requests] == [(SEARCH, f"Bearer {MADE_UP}")]


NEXT_LINKS = [
    pytest.param("http://127.0.0.1:PORT/fhir/Condition?page=2", id="another port"),
    pytest.param("//127.0.0.1:PORT/fhir/Condition?page=2", id="another port, without a scheme"),
    pytest.param("http://localhost:PORT/fhir/Condition", id="another name and port"),
    pytest.param("http://GOOD@127.0.0.1:PORT/fhir/Condition", id="the server as the user of another"),
    pytest.param("http://127.0.0.1:PORT#@GOOD/fhir/Condition", id="a fragment before the server"),
    pytest.param("http://127.0.0.1:PORT\\@GOOD/fhir/Condition", id="a backslash before the server"),
    pytest.param("\thttp://127.0.0.1:PORT/fhir/Condition", id="a tab before"),
    pytest.param("https://GOOD/fhir/Condition", id="another scheme"),
    pytest.param("ftp://GOOD/fhir/Condition", id="ftp"),
    pytest.param("file:///etc/hostname", id="a file"),
    pytest.param("javascript:alert(1)", id="a script"),
    pytest.param("http://GOOD/", id="up the path"),
    pytest.param("http://GOOD/fhirx/Condition", id="a path that begins alike"),
    pytest.param("/admin", id="a path from the root"),
    pytest.param("../admin", id="a step up"),
    pytest.param("%2e%2e/admin", id="a step up, percent-encoded"),
    pytest.param("..;/admin", id="a step up with a parameter"),
    pytest.param("..%5cadmin", id="a step up by a backslash, percent-encoded"),
    pytest.param("http://[::1/fhir/Condition", id="an address that nobody can parse"),
    pytest.param("Condition?page=" + "9" * 20_000, id="an address without end"),
    pytest.param("Condition?page=2\r\nX-Injected: 1", id="a header inside"),
]


@pytest.mark.parametrize("fetched", [False, True], ids=["of the prefetch", "of the server"])
@pytest.mark.parametrize("next_url", NEXT_LINKS)
def test_a_next_link_that_leaves_the_server_is_not_followed(
    next_url: str, fetched: bool, client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    """R-2.85: the first page counts, and the card says that it is a part."""
    first = with_next(fill(next_url, fhir, canary))
    call = asking(fhir.base)
    if fetched:
        fhir.answers[SEARCH] = answer(first)
    else:
        call["prefetch"]["conditions"] = first
    cards = cards_of(client, call)
    assert ONLY_A_PART in cards["confounders"]["detail"]
    assert fhir.paths == [SEARCH] * fetched


POINTERS = [
    pytest.param(301, {"Location": "CANARY"}, id="301 to the canary"),
    pytest.param(302, {"Location": "CANARY"}, id="302 to the canary"),
    pytest.param(303, {"Location": "CANARY"}, id="303 to the canary"),
    pytest.param(307, {"Location": "CANARY"}, id="307 to the canary"),
    pytest.param(308, {"Location": "CANARY"}, id="308 to the canary"),
    pytest.param(302, {"Location": "//127.0.0.1:PORT/fhir"}, id="302 to the canary, without a scheme"),
    pytest.param(302, {"Location": "/fhir/elsewhere"}, id="302 on the same server"),
    pytest.param(302, {"Location": "elsewhere"}, id="302, relative"),
    pytest.param(302, {"Location": "file:///etc/hostname"}, id="302 to a file"),
    pytest.param(302, {"Location": "http://[::1"}, id="302 to nowhere"),
    pytest.param(302, {}, id="302 without a Location"),
    pytest.param(300, {"Link": "<CANARY>; rel=next"}, id="300 with links"),
    pytest.param(305, {"Location": "CANARY"}, id="305, use this proxy"),
    pytest.param(201, {"Location": "CANARY"}, id="201 with a Location"),
    pytest.param(202, {"Content_Location": "CANARY"}, id="202, ask again there"),
    pytest.param(401, {"WWW_Authenticate": 'Bearer realm="CANARY"'}, id="401, log in there"),
    pytest.param(407, {"Proxy_Authenticate": "Basic"}, id="407"),
    pytest.param(421, {}, id="421"),
    pytest.param(503, {"Retry_After": "0", "Location": "CANARY"}, id="503, try there"),
]


@pytest.mark.parametrize(("status", "headers"), POINTERS)
def test_an_answer_that_points_elsewhere_is_not_read_and_not_followed(
    status: int, headers: dict[str, str], client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    """design.md 6: no redirect is followed, with or without the token."""
    filled = {name: fill(text.replace("CANARY", canary.base), fhir, canary) for name, text in headers.items()}
    fhir.answers |= {
        SEARCH: answer(searchset(condition()), status, **filled),
        "/fhir/elsewhere": answer(searchset(condition())),
    }
    cards = cards_of(client, asking(fhir.base))
    assert list(cards) == ["what-to-expect"]
    assert NOT_CHECKED in cards["what-to-expect"]["detail"]
    assert fhir.paths == [SEARCH]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Location": "CANARY"}, id="Location"),
        pytest.param({"Content_Location": "CANARY"}, id="Content-Location"),
        pytest.param({"Link": '<CANARY>; rel="next"'}, id="Link"),
        pytest.param({"Refresh": "0; url=CANARY"}, id="Refresh"),
        pytest.param({"Alt_Svc": 'http/1.1="127.0.0.1:PORT"'}, id="Alt-Svc"),
        pytest.param({"Connection": "Upgrade", "Upgrade": "h2c"}, id="Upgrade"),
    ],
)
def test_a_header_of_a_good_answer_that_points_elsewhere_is_not_looked_at(
    headers: dict[str, str], client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    filled = {name: fill(text.replace("CANARY", canary.base), fhir, canary) for name, text in headers.items()}
    fhir.answers[SEARCH] = answer(searchset(condition()), 200, **filled)
    for _ in range(2):
        assert "confounders" in cards_of(client, asking(fhir.base))
    assert fhir.paths == [SEARCH] * 2


def test_a_page_that_refreshes_itself_elsewhere_is_no_fhir(
    client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    page = f'<html><meta http-equiv="refresh" content="0;url={canary.base}"></html>'.encode()
    fhir.answers[SEARCH] = answer(page, Content_Type="text/html")
    assert NOT_CHECKED in cards_of(client, asking(fhir.base))["what-to-expect"]["detail"]


def test_addresses_in_resources_are_data(client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer) -> None:
    """fullUrl, references, attachments, extensions, profiles: read by nobody, fetched by nobody."""
    url = f"{canary.base}/Condition/1"
    pointing = condition(
        meta={"source": url, "profile": [url]},
        implicitRules=url,
        extension=[{"url": url, "valueUri": url}],
        encounter={"reference": url},
        evidence=[{"detail": [{"reference": url}]}],
        text={"status": "generated", "div": f'<div><img src="{url}"/></div>'},
        contained=[{"resourceType": "DocumentReference", "content": [{"attachment": {"url": url}}]}],
    )
    bundle = searchset(pointing, link=[{"relation": name, "url": url} for name in ("self", "first", "last", "related")])
    bundle["entry"][0] |= {"fullUrl": url, "request": {"method": "GET", "url": url}, "response": {"location": url}}
    fhir.answers[SEARCH] = answer(bundle)
    assert "confounders" in cards_of(client, asking(fhir.base))
    assert fhir.paths == [SEARCH]


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("http://127.0.0.1:PORT/fhir/Condition/why", id="another server"),
        pytest.param("//127.0.0.1:PORT/fhir/Condition/why", id="another server, without a scheme"),
        pytest.param("http://GOOD@127.0.0.1:PORT/fhir/Condition/why", id="the server as the user of another"),
        pytest.param("http://GOOD/fhir/../Condition/why", id="a step up"),
        pytest.param("http://GOOD/fhirx/Condition/why", id="a path that begins alike"),
        pytest.param("Condition/../../admin", id="an id that climbs"),
        pytest.param("Condition/..", id="an id of two dots"),
        pytest.param("Condition/why?_include=*", id="an id with a query"),
    ],
)
def test_a_reason_on_another_server_is_looked_up_nowhere(
    reference: str, client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    """The id alone is nobody's: what it names here may be about something else."""
    fhir.answers["/fhir/Condition/why"] = answer(condition(id="why"))
    call = hook_call(
        referring(fill(reference, fhir, canary)), prefetch=prefetch(), fhirServer=fhir.base, fhirAuthorization=BEARER
    )
    assert cards_of(client, call) == {}
    assert fhir.paths == []


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def test_no_proxy_and_no_password_of_the_environment_is_used(
    connect: Connect, fhir: LoopbackServer, canary: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it at once: proxies of every spelling, a netrc, and nothing that would except this machine from them."""
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password made-up\ndefault login somebody password made-up\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fhir.answers[SEARCH] = answer(searchset(condition()))
    client = connect(BUDGET_MS + 1)  # an application of its own, made with that environment
    for authorization, sent in [(BEARER, f"Bearer {MADE_UP}"), (None, None)]:
        call = asking(fhir.base) | {"fhirAuthorization": authorization}
        assert "confounders" in cards_of(client, call)
        assert fhir.requests[-1].headers["Authorization"] == sent


def test_nothing_of_one_call_travels_with_the_next(client: FlaskClient, fhir: LoopbackServer) -> None:
    """R-6.17: no cookie, no token; over the same connection."""
    fhir.answers[SEARCH] = answer(searchset(condition()), Set_Cookie="session=1; Path=/", ETag='"1"')
    tokens = ["made-up-one", None, "made-up-two"]
    for token in tokens:
        authorization = BEARER | {"access_token": token} if token else None
        cards_of(client, asking(fhir.base) | {"fhirAuthorization": authorization})
    headers = [one.headers for one in fhir.requests]
    assert [one["Authorization"] for one in headers] == [token and f"Bearer {token}" for token in tokens]
    assert [(one["Cookie"], one["If-None-Match"], one["Referer"]) for one in headers] == [(None, None, None)] * 3
    assert len({one.connection for one in fhir.requests}) == 1


def test_a_server_learns_nothing_but_the_search(client: FlaskClient, fhir: LoopbackServer) -> None:
    """R-2.26: no id of the call, the user or the client in a header."""
    fhir.answers[SEARCH] = answer(searchset())
    cards_of(client, asking(fhir.base))
    names = {name.lower() for name in fhir.requests[0].headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "authorization", "connection"}


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "a\nHost: evil.example", "\u20ac", "\x00", "a" * 100_000])
def test_a_token_that_fits_in_no_header_costs_the_data_and_not_the_answer(
    token: str, client: FlaskClient, fhir: LoopbackServer
) -> None:
    fhir.answers[SEARCH] = answer(searchset(condition()))
    call = asking(fhir.base) | {"fhirAuthorization": BEARER | {"access_token": token}}
    assert post(client, call).status_code == 200
    assert all("X-Injected" not in one.headers for one in fhir.requests)
    assert all(one.headers["Host"] == f"127.0.0.1:{fhir.port}" for one in fhir.requests)


@pytest.mark.parametrize(
    "patient_id",
    [
        "..",
        ".",
        "..%2f..%2fadmin",
        "%2e%2e",
        "..\\..\\admin",
        "..;",
        "1?_include=*",
        "1&_count=100000",
        "1&patient=2",
        "1#",
        "1%00",
        "1,2",
        "*",
        " ",
        "1\r\nX-Injected: 1",
        "{{userId}}",
        "\u202e1",
        "a" * 30_000,
        "@127.0.0.1",
        ":80",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_patient_id_is_a_value_and_nothing_more(
    patient_id: str, client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    """R-3.13: whatever it holds, the searches have our two parameters, and the read one step."""
    call = hook_call(order(subject=None), prefetch=None, fhirServer=fhir.base, fhirAuthorization=BEARER)
    call["context"]["patientId"] = patient_id
    assert post(client, call).status_code in (200, 400)
    for request in fhir.requests:
        parts = urlsplit(request.path)
        assert "X-Injected" not in request.headers
        if parts.query:
            assert parts.path in ("/fhir/Condition", "/fhir/Procedure")
            assert parse_qs(parts.query, keep_blank_values=True) == {"patient": [patient_id], "_count": ["500"]}
        else:
            assert parts.path.startswith("/fhir/Patient/")
            assert parts.path.count("/") == 3
            assert unquote(parts.path).removeprefix("/fhir/Patient/") == patient_id


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
MISBEHAVIOURS = [
    pytest.param(never_ending(b""), id="never answers"),
    pytest.param(never_ending(b"HTTP/1.1 200 O", b"K"), id="drips its status"),
    pytest.param(never_ending(HTTP_OK + b"A: ", b"b"), id="drips its headers"),
    pytest.param(never_ending(HTTP_OK + b"Content-Length: 99999\r\n\r\n" + GOOD_PAGE, b" "), id="drips its body"),
    pytest.param(never_ending(CHUNKED, b"1\r\n \r\n"), id="drips chunks"),
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


@pytest.mark.parametrize("misbehave", MISBEHAVIOURS)
def test_a_server_that_misbehaves_costs_its_data_and_never_the_answer(
    misbehave: Answer, connect: Connect, fhir: LoopbackServer
) -> None:
    """R-2.86: the cards come, and say what was not checked; the log says why, without an address or a token."""
    fhir.answers[SEARCH] = misbehave
    with capture_logs() as events:
        cards = cards_of(connect(SHORT_BUDGET_MS * 4), asking(fhir.base))
    assert list(cards) == ["what-to-expect"]
    assert NOT_CHECKED in cards["what-to-expect"]["detail"]
    assert MADE_UP not in str(events)
    assert str(fhir.port) not in str(events)


@pytest.mark.parametrize("misbehave", MISBEHAVIOURS[:3] + MISBEHAVIOURS[17:18] + MISBEHAVIOURS[-2:-1])
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
    assert "hecked:**" in cards["what-to-expect"]["detail"]
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
        assert NOT_CHECKED in cards_of(client, asking(dead))["what-to-expect"]["detail"]
    assert len(fhir.requests) == 5
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
