"""Attacks with the Authorization header itself: all but one signed token after `Bearer` is refused (R-6.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.charts import SERVICE
from tests.registered_service import CALL, DISCOVERY, FEEDBACK, RegisteredService
from tests.token_forge import Forge, base64url

NO_HEADER, NO_BEARER = "no Authorization header", "is not Bearer and one signed token"
UNREADABLE, TOO_LONG, NO_SIGNATURE = "cannot be read", "too long", "the signature is not valid"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    one = RegisteredService(tmp_path_factory.mktemp("header"), empty_ledger)
    yield one
    one.close()


def padded(token: str) -> str:
    """Each part with the padding that base64url in a token has not."""
    return ".".join(part + "=" * (-len(part) % 4) for part in token.split("."))


HEADERS = [
    pytest.param(lambda f: "", NO_HEADER, id="an empty header"),
    pytest.param(lambda f: "Bearer", NO_BEARER, id="Bearer without a token"),
    pytest.param(lambda f: "Bearer ", NO_BEARER, id="Bearer and a blank"),
    pytest.param(lambda f: f.token(), NO_BEARER, id="a token without Bearer"),
    pytest.param(lambda f: f"Basic {base64url(b'user:password')}", NO_BEARER, id="Basic"),
    pytest.param(lambda f: f"Basic {f.token()}", NO_BEARER, id="Basic with a good token"),
    pytest.param(lambda f: f"DPoP {f.token()}", NO_BEARER, id="DPoP with a good token"),
    pytest.param(lambda f: f"JWT {f.token()}", NO_BEARER, id="JWT with a good token"),
    pytest.param(lambda f: f"Bearer{f.token()}", NO_BEARER, id="no blank between the two"),
    pytest.param(lambda f: f"Bearer:{f.token()}", NO_BEARER, id="a colon between the two"),
    pytest.param(lambda f: f'Bearer token="{f.token()}"', NO_BEARER, id="a token as a parameter"),
    pytest.param(lambda f: f'Bearer "{f.token()}"', NO_BEARER, id="a token in quotes"),
    pytest.param(lambda f: f"Bearer {f.token()} {f.token()}", NO_BEARER, id="two tokens"),
    pytest.param(lambda f: f"Bearer {f.token()},Bearer {f.token()}", NO_BEARER, id="two headers joined by a comma"),
    pytest.param(lambda f: f"Basic eDp5, Bearer {f.token()}", NO_BEARER, id="Basic and Bearer joined by a comma"),
    pytest.param(lambda f: f"Bearer {f.token()},", NO_BEARER, id="a comma at the end"),
    pytest.param(lambda f: f"Bearer Bearer {f.token()}", NO_BEARER, id="Bearer twice"),
    pytest.param(lambda f: f"Bearer\t{f.token()}", NO_BEARER, id="a tab between the two"),
    pytest.param(lambda f: f"Bearer {f.token()}\t", NO_BEARER, id="a tab at the end"),
    pytest.param(lambda f: f" Bearer {f.token()}", NO_BEARER, id="a blank before Bearer"),
    pytest.param(lambda f: f"Bearer\xa0{f.token()}", NO_BEARER, id="a hard space between the two"),
    pytest.param(lambda f: f"Bearer {f.token()}\xe9", NO_BEARER, id="a letter that is not ASCII"),
    pytest.param(lambda f: f"BEARER\xdf {f.token()}", NO_BEARER, id="a scheme that is not ASCII"),
    pytest.param(lambda f: f"Bearer {f.token()}\x00", NO_BEARER, id="NUL at the end"),
    pytest.param(lambda f: f"Bearer {f.token()[:-10]}\x00{f.token()[-10:]}", NO_BEARER, id="NUL in the signature"),
    pytest.param(lambda f: f"Bearer {padded(f.token())}", NO_BEARER, id="parts with padding"),
    pytest.param(lambda f: f"Bearer {f.token()}=", NO_BEARER, id="a signature with padding it does not need"),
    pytest.param(lambda f: f"Bearer {quote(f.token(), safe='').replace('.', '%2E')}", NO_BEARER, id="percent-encoded"),
    pytest.param(lambda f: f"Bearer {f.token().replace('.', ':')}", NO_BEARER, id="parts joined by colons"),
    pytest.param(lambda f: f"Bearer {f.token().rpartition('.')[0]}", NO_BEARER, id="two parts"),
    pytest.param(lambda f: f"Bearer {f.token().rpartition('.')[0]}.", NO_BEARER, id="an empty signature"),
    pytest.param(lambda f: f"Bearer {f.token()}.{base64url(b'more')}", NO_BEARER, id="four parts"),
    pytest.param(lambda f: f"Bearer {f.token()}.a.b", NO_BEARER, id="five parts, as an encrypted token has"),
    pytest.param(lambda f: f"Bearer .{f.token().partition('.')[2]}", NO_BEARER, id="an empty header part"),
    pytest.param(lambda f: "Bearer ..", NO_BEARER, id="nothing but dots"),
    pytest.param(lambda f: f"Bearer {f.token().replace('.', '..', 1)}", NO_BEARER, id="a detached payload"),
    pytest.param(lambda f: f"Bearer {f.token()}trailing", NO_SIGNATURE, id="letters after the signature"),
    pytest.param(lambda f: "Bearer a.b.c", UNREADABLE, id="three letters"),
    pytest.param(lambda f: f"Bearer {f.token(x='y' * 9_000)}", TOO_LONG, id="a good token of more than 8 kB"),
    pytest.param(lambda f: f"Bearer {f.token()}{' ' * 9_000}", TOO_LONG, id="a good token and 9,000 blanks"),
    pytest.param(lambda f: "Bearer " + "a" * 1_000_000, TOO_LONG, id="a megabyte"),
    pytest.param(lambda f: "." * 8_000, NO_BEARER, id="8,000 dots"),
    pytest.param(lambda f: "Bearer " + "a." * 4_000, NO_BEARER, id="4,000 parts"),
]


@pytest.mark.parametrize(("header", "reason"), HEADERS)
def test_header_that_is_not_bearer_and_one_token_is_refused(
    service: RegisteredService, header: Callable[[Forge], str], reason: str
) -> None:
    forge = service.forge()
    service.assert_refused(header(forge), reason)
    assert service.call(forge.bearer()).status_code == 200


@pytest.mark.parametrize("path", [SERVICE, FEEDBACK, DISCOVERY])
def test_call_without_a_token_is_refused(service: RegisteredService, path: str) -> None:
    """R-5.13, R-6.2: feedback and discovery, too."""
    service.assert_refused(None, NO_HEADER, path=path)


@pytest.mark.parametrize("line", ["\r\n", "\n", "\r"])
def test_line_break_in_the_header_is_refused(service: RegisteredService, line: str) -> None:
    """No server lets one through; should one, it is no token."""
    forge = service.forge()
    environment = {"HTTP_AUTHORIZATION": f"Bearer {forge.token()}{line}X-Other: 1"}
    service.assert_refused(None, NO_BEARER, environ_overrides=environment)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda token: {"query_string": {"access_token": token}}, id="access_token in the query"),
        pytest.param(lambda token: {"query_string": {"Authorization": f"Bearer {token}"}}, id="the whole in the query"),
        pytest.param(lambda token: {"headers": {"Cookie": f"access_token={token}"}}, id="a cookie"),
        pytest.param(lambda token: {"headers": {"X-Authorization": f"Bearer {token}"}}, id="X-Authorization"),
        pytest.param(
            lambda token: {"headers": {"X-Forwarded-Authorization": f"Bearer {token}"}}, id="X-Forwarded-Authorization"
        ),
        pytest.param(lambda token: {"headers": {"Proxy-Authorization": f"Bearer {token}"}}, id="Proxy-Authorization"),
        pytest.param(lambda token: {"headers": {"X-Access-Token": token}}, id="X-Access-Token"),
        pytest.param(lambda token: {"headers": {"X-Forwarded-User": "general-hospital"}}, id="a proxy's word for it"),
        pytest.param(lambda token: {"body": CALL[:-1] + f', "access_token": "{token}"}}'.encode()}, id="the body"),
    ],
)
def test_token_anywhere_else_is_no_token(service: RegisteredService, place: Callable[[str], dict[str, object]]) -> None:
    forge = service.forge()
    service.assert_refused(None, NO_HEADER, **place(forge.token()))
    assert service.call(forge.bearer()).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_discovery_gives_a_stranger_nothing_by_any_method(service: RegisteredService, method: str) -> None:
    answer = service.app.test_client().open(DISCOVERY, method=method)
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer")


@pytest.mark.parametrize("path", ["/cds-services/", SERVICE.replace("/", "//")[1:], f"{SERVICE}/", f"{FEEDBACK}/"])
def test_another_way_to_write_a_path_is_no_way_round(service: RegisteredService, path: str) -> None:
    body = None if path.strip("/") == "cds-services" else CALL
    service.assert_refused(None, NO_HEADER, path=path, body=body)


@pytest.mark.parametrize(
    "headers",
    [{"X-HTTP-Method-Override": "OPTIONS"}, {"X-Original-URL": "/health"}, {"X-Forwarded-Host": "127.0.0.1"}],
)
def test_header_meant_for_proxies_is_no_way_round(service: RegisteredService, headers: dict[str, str]) -> None:
    service.assert_refused(None, NO_HEADER, headers=headers)


def test_host_header_does_not_change_whose_tokens_are_taken(service: RegisteredService) -> None:
    """R-6.9: the audience is the configured address, whatever host a caller names."""
    forge = service.forge()
    elsewhere = forge.bearer(aud=f"https://attacker.example.org{SERVICE}")
    service.assert_refused(elsewhere, "aud is not the URL called", headers={"Host": "attacker.example.org"})
    assert service.call(forge.bearer(), headers={"Host": "attacker.example.org"}).status_code == 200


def test_preflight_needs_no_token_and_gives_nothing(service: RegisteredService) -> None:
    """R-6.22."""
    asked = {"Origin": "https://ehr.example.org", "Access-Control-Request-Method": "POST"}
    answer = service.app.test_client().options(SERVICE, headers=asked)
    assert (answer.status_code, answer.get_data()) == (200, b"")
