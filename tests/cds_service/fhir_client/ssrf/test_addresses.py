"""No address in a call or an answer leads anywhere but to the FHIR server of the call."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.cds_service.fhir_client.ssrf.asking import (
    BEARER,
    MADE_UP,
    NOT_CHECKED,
    ONLY_A_PART,
    SEARCH,
    asking,
    fill,
    with_next,
)
from tests.charts import cards_of, condition, hook_call, prefetch, searchset
from tests.misbehaving_server import LoopbackServer, answer
from tests.work_ups import referring

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
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
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
    assert NOT_CHECKED in cards["what-to-expect"]["summary"]
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
    assert NOT_CHECKED in cards_of(client, asking(fhir.base))["what-to-expect"]["summary"]


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
