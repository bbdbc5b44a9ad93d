"""FHIR base URLs: which texts are one, which are the same one, what is below one (R-2.27, design.md 6)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cds_service.fhir_client.base_url import FhirBase, LeavesServer, parse_base

BASE = "https://fhir.example.org/r4"
SAME = [
    pytest.param("https://fhir.example.org/r4", BASE, id="as it is"),
    pytest.param("https://fhir.example.org/r4/", BASE, id="a slash at the end"),
    pytest.param("https://fhir.example.org/r4///", BASE, id="slashes at the end"),
    pytest.param("HTTPS://fhir.example.org/r4", BASE, id="the scheme in capitals"),
    pytest.param("https://FHIR.Example.ORG/r4", BASE, id="the host in capitals"),
    pytest.param("https://fhir.example.org:443/r4", BASE, id="the default port of https"),
    pytest.param("http://fhir.example.org:80/r4", "http://fhir.example.org/r4", id="the default port of http"),
    pytest.param("http://[0:0:0:0:0:0:0:1]/r4", "http://[::1]/r4", id="an IPv6 address in its long form"),
    pytest.param("http://[2001:DB8::A]:8080/r4", "http://[2001:db8::a]:8080/r4", id="an IPv6 address in capitals"),
    pytest.param("https://fhir.example.org", "https://fhir.example.org/", id="no path"),
    pytest.param("https://h/a%20b/~x/R4_1.0", "https://h/a%20b/~x/R4_1.0/", id="what paths of servers are made of"),
]
DIFFERENT = [
    pytest.param("http://fhir.example.org/r4", id="another scheme"),
    pytest.param("https://fhir.example.org:8443/r4", id="another port"),
    pytest.param("https://fhir.example.org:80/r4", id="the default port of another scheme"),
    pytest.param("https://fhir.example.org/r4x", id="a path that begins alike"),
    pytest.param("https://fhir.example.org/r4/tenant", id="a path below"),
    pytest.param("https://fhir.example.org/", id="a path above"),
    pytest.param("https://fhir.example.org/R4", id="the path in capitals"),
    pytest.param("https://fhir.example.org.evil.example/r4", id="a host that begins alike"),
    pytest.param("https://xfhir.example.org/r4", id="a host that ends alike"),
]
REFUSED = [
    pytest.param("", id="nothing"),
    pytest.param("fhir.example.org/r4", id="no scheme"),
    pytest.param("//fhir.example.org/r4", id="no scheme, but slashes"),
    pytest.param("https:/fhir.example.org/r4", id="one slash"),
    pytest.param("https:///r4", id="no host"),
    pytest.param("https://", id="nothing but a scheme"),
    pytest.param("ftp://fhir.example.org/r4", id="ftp"),
    pytest.param("file:///r4", id="a file"),
    pytest.param("gopher://fhir.example.org/r4", id="gopher"),
    pytest.param("data:application/fhir+json,{}", id="data"),
    pytest.param("jar:https://fhir.example.org/r4!/x", id="a scheme before the scheme"),
    pytest.param("https://user@fhir.example.org/r4", id="a user"),
    pytest.param("https://user:secret@fhir.example.org/r4", id="a user with a password"),
    pytest.param("https://@fhir.example.org/r4", id="an empty user"),
    pytest.param("https://fhir.example.org@evil.example/r4", id="the host as the user of another"),
    pytest.param("https://fhir.example.org:443@evil.example/r4", id="host and port as the user of another"),
    pytest.param("https://fhir.example.org:443#@evil.example/r4", id="a fragment that ends the host"),
    pytest.param("https://evil.example#@fhir.example.org/r4", id="a fragment before the host"),
    pytest.param("https://fhir.example.org/r4?x=1", id="a query"),
    pytest.param("https://fhir.example.org/r4#x", id="a fragment"),
    pytest.param("https://fhir.example.org/r4#", id="an empty fragment"),
    pytest.param("https://evil.example\\@fhir.example.org/r4", id="a backslash before an at sign"),
    pytest.param("https:\\\\fhir.example.org\\r4", id="backslashes for slashes"),
    pytest.param("https://fhir.example.org\\.evil.example/r4", id="a backslash in the host"),
    pytest.param("https://fhir.example.org/r4\\x", id="a backslash in the path"),
    pytest.param(" https://fhir.example.org/r4", id="a blank before"),
    pytest.param("https://fhir.example.org/r4 ", id="a blank after"),
    pytest.param("https://fhir.example.org/r4\n", id="a line break after"),
    pytest.param("https://fhir.exa\tmple.org/r4", id="a tab in the host"),
    pytest.param("https://fhir.exa\nmple.org/r4", id="a line break in the host"),
    pytest.param("ht\ntps://fhir.example.org/r4", id="a line break in the scheme"),
    pytest.param("https://fhir.example.org/r4\x00", id="a null byte"),
    pytest.param("https://fhir.example.org/r4\r\nX: 1", id="a header"),
    pytest.param("https://fhir.example.org\u3002evil.example/r4", id="an ideographic full stop"),
    pytest.param("https://fhir.example\uff0eorg/r4", id="a full-width dot"),
    pytest.param("https://\uff46hir.example.org/r4", id="a full-width letter"),
    pytest.param("https://fh\u0131r.example.org/r4", id="a dotless i"),
    pytest.param("https://f\u200bhir.example.org/r4", id="a space of no width"),
    pytest.param("https://\u212aubernetes.example.org/r4", id="a Kelvin sign, which is a k in lower case"),
    pytest.param("https://fhir.example.org/r\u0664", id="a digit of another script in the path"),
    pytest.param("https://fhir.example.org:\uff14\uff14\uff13/r4", id="digits of another script in the port"),
    pytest.param("https://fhir%2eexample.org/r4", id="percent-encoding in the host"),
    pytest.param("https://fhir.example.org./r4", id="a dot after the host"),
    pytest.param("https://.fhir.example.org/r4", id="a dot before the host"),
    pytest.param("https://fhir..example.org/r4", id="two dots in the host"),
    pytest.param("https://fhir.example.org:/r4", id="an empty port"),
    pytest.param("https://fhir.example.org:0/r4", id="port 0"),
    pytest.param("https://fhir.example.org:00443/r4", id="a port with zeros"),
    pytest.param("https://fhir.example.org:65536/r4", id="a port that does not exist"),
    pytest.param("https://fhir.example.org:-1/r4", id="a port below zero"),
    pytest.param("https://fhir.example.org:443:80/r4", id="two ports"),
    pytest.param("https://fhir.example.org:x/r4", id="a port that is no number"),
    pytest.param("https://fhir.example.org//r4", id="two slashes before the path"),
    pytest.param("https://fhir.example.org/r4//x", id="two slashes in the path"),
    pytest.param("https://fhir.example.org/../r4", id="a step up"),
    pytest.param("https://fhir.example.org/r4/.", id="a step to itself"),
    pytest.param("https://fhir.example.org/r4/..", id="a step up at the end"),
    pytest.param("https://fhir.example.org/r4/%2e%2e", id="a step up, percent-encoded"),
    pytest.param("https://fhir.example.org/r4/.%2E", id="a step up, half percent-encoded"),
    pytest.param("https://fhir.example.org/r4/%252e%252e", id="a step up, percent-encoded twice"),
    pytest.param("https://fhir.example.org/r4/..;x=1", id="a step up with a parameter"),
    pytest.param("https://fhir.example.org/r4%2fx", id="a slash, percent-encoded"),
    pytest.param("https://fhir.example.org/r4%5cx", id="a backslash, percent-encoded"),
    pytest.param("https://fhir.example.org/r4%00", id="a null byte, percent-encoded"),
    pytest.param("https://fhir.example.org/r4%0d%0a", id="a line break, percent-encoded"),
    pytest.param("https://fhir.example.org/r4%", id="a percent sign"),
    pytest.param("https://fhir.example.org/r4%zz", id="a percent sign before letters"),
    pytest.param("http://2130706433/r4", id="127.0.0.1 as one number"),
    pytest.param("http://127.1/r4", id="127.0.0.1, short"),
    pytest.param("http://0177.0.0.1/r4", id="127.0.0.1 in octal"),
    pytest.param("http://0x7f.0.0.1/r4", id="127.0.0.1 in hexadecimal"),
    pytest.param("http://0x7f000001/r4", id="127.0.0.1 as one hexadecimal number"),
    pytest.param("http://127.0.0.1./r4", id="127.0.0.1 with a dot after"),
    pytest.param("http://127.0.0.256/r4", id="an IPv4 address that does not exist"),
    pytest.param("http://1.2.3.4.5/r4", id="five numbers"),
    pytest.param("http://[::ffff:127.0.0.1]/r4", id="an IPv4 address as an IPv6 one"),
    pytest.param("http://[::ffff:7f00:1]/r4", id="an IPv4 address as an IPv6 one, in hexadecimal"),
    pytest.param("http://[::1%25lo]/r4", id="an IPv6 address with a zone"),
    pytest.param("http://[::1/r4", id="a bracket that stays open"),
    pytest.param("http://::1/r4", id="an IPv6 address without brackets"),
    pytest.param("http://[127.0.0.1]/r4", id="an IPv4 address in brackets"),
    pytest.param("http://[v1.x]/r4", id="an address of the future"),
    pytest.param("http://[:::1]/r4", id="brackets around what is no address"),
    pytest.param("https://h/" + "a" * 9_000, id="an endless path"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_texts_for_the_same_base_are_equal(one: str, other: str) -> None:
    assert parse_base(one) is not None
    assert parse_base(one) == parse_base(other)


@pytest.mark.parametrize("other", DIFFERENT)
def test_another_base_is_another_base(other: str) -> None:
    assert parse_base(other) is not None
    assert parse_base(other) != parse_base(BASE)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_plainly_a_base_is_none(text: str) -> None:
    assert parse_base(text) is None


@pytest.mark.parametrize(
    ("text", "url", "is_https", "is_loopback"),
    [
        ("HTTPS://FHIR.example.org:443/R4/", "https://fhir.example.org/R4", True, False),
        ("http://localhost:8080/fhir", "http://localhost:8080/fhir", False, True),
        ("http://127.0.0.1", "http://127.0.0.1", False, True),
        ("http://127.9.9.9/x", "http://127.9.9.9/x", False, True),
        ("http://[::1]:99/x", "http://[::1]:99/x", False, True),
        ("http://0.0.0.0/x", "http://0.0.0.0/x", False, False),
        ("http://[::]/x", "http://[::]/x", False, False),
        ("http://localhost.example.org/x", "http://localhost.example.org/x", False, False),
        ("http://10.0.0.1/x", "http://10.0.0.1/x", False, False),
    ],
)
def test_what_a_base_says_of_itself(text: str, url: str, is_https: bool, is_loopback: bool) -> None:
    base = parse_base(text)
    assert base
    assert (base.url, base.is_https, base.is_loopback) == (url, is_https, is_loopback)
    assert parse_base(base.url) == base


@given(
    st.text(alphabet="ahtps:/[].@#?\\%2eE0 1\t\u3002;-_", max_size=30),
    st.sampled_from(["", "http://", "https://h", "http://127.0.0.1"]),
)
def test_a_base_is_read_by_others_as_by_us(text: str, start: str) -> None:
    """What passes means the same to the library that connects: same scheme, host, port, path."""
    base = parse_base(start + text)
    if base is None:
        return
    prepared = urlsplit(requests.Request("GET", base.url + "/x").prepare().url or "")
    port = prepared.port or {"http": 80, "https": 443}[prepared.scheme]
    assert (prepared.scheme, prepared.hostname, port) == (base.scheme, base.host, base.port)
    assert parse_base(base.url) == base


HOME = FhirBase("https", "fhir.example.org", 443, "/r4")
BELOW = [
    pytest.param("Patient/1", "/r4/Patient/1", id="a relative address"),
    pytest.param("Condition?patient=1&_count=5", "/r4/Condition?patient=1&_count=5", id="a search"),
    pytest.param("?_getpages=x", "/r4/?_getpages=x", id="a query on the base"),
    pytest.param(f"{BASE}?_getpages=x", "/r4?_getpages=x", id="a query on the base, absolute"),
    pytest.param(f"{BASE}/Condition?page=2", "/r4/Condition?page=2", id="an absolute address"),
    pytest.param("HTTPS://FHIR.example.org:443/r4/Condition", "/r4/Condition", id="capitals and the default port"),
    pytest.param("/r4/Condition", "/r4/Condition", id="a path from the root"),
    pytest.param("//fhir.example.org/r4/Condition", "/r4/Condition", id="no scheme"),
    pytest.param("Condition?code=http://x|1,2", "/r4/Condition?code=http://x%7C1,2", id="a bar in the query"),
    pytest.param("Condition?code=a\\,b", "/r4/Condition?code=a%5C,b", id="a backslash in the query"),
    pytest.param("Condition?q=../x", "/r4/Condition?q=../x", id="dots in the query"),
    pytest.param("Condition?q=a b", "/r4/Condition?q=a%20b", id="a blank in the query"),
    pytest.param("Condition?name=\u00e9", "/r4/Condition?name=%C3%A9", id="a letter with an accent in the query"),
    pytest.param("Condition?a=%2e%2e", "/r4/Condition?a=%2e%2e", id="percent-encoding in the query, kept"),
    pytest.param("Condition?q=x@evil.example", "/r4/Condition?q=x@evil.example", id="an at sign in the query"),
    pytest.param("Condition?p=1#fragment", "/r4/Condition?p=1", id="a fragment, which servers do not get"),
    pytest.param("_page/a~b;c=1/$x", "/r4/_page/a~b;c=1/$x", id="what paths of pages are made of"),
]
LEAVES = [
    pytest.param("https://evil.example/r4/x", id="another host"),
    pytest.param("//evil.example/r4/x", id="another host, without a scheme"),
    pytest.param("http://fhir.example.org/r4/x", id="another scheme"),
    pytest.param("https://fhir.example.org:8443/r4/x", id="another port"),
    pytest.param("https://fhir.example.org/r4x/x", id="a path that begins alike"),
    pytest.param("https://fhir.example.org/", id="a path above"),
    pytest.param("/admin", id="a path from the root"),
    pytest.param("..", id="a step up"),
    pytest.param("../r4/x", id="a step up and down again"),
    pytest.param("x/../y", id="a step up that stays below"),
    pytest.param("%2e%2e/admin", id="a step up, percent-encoded"),
    pytest.param("%252e%252e/admin", id="a step up, percent-encoded twice"),
    pytest.param("..;/admin", id="a step up with a parameter"),
    pytest.param("..%2fadmin", id="a step up with a slash that is percent-encoded"),
    pytest.param("..\\admin", id="a step up by a backslash"),
    pytest.param("..%5cadmin", id="a step up by a backslash that is percent-encoded"),
    pytest.param("https://fhir.example.org@evil.example/r4/x", id="the host as a user"),
    pytest.param("https://u:p@fhir.example.org/r4/x", id="a user"),
    pytest.param("https://evil.example\\@fhir.example.org/r4/x", id="a backslash before an at sign"),
    pytest.param("https://evil.example#@fhir.example.org/r4/x", id="a fragment before an at sign"),
    pytest.param("https://evil.example?@fhir.example.org/r4/x", id="a query before an at sign"),
    pytest.param("\thttps://evil.example/r4/x", id="a tab before"),
    pytest.param("Condi\ntion", id="a line break"),
    pytest.param("Condition?a=\r\nX: 1", id="a line break in the query"),
    pytest.param("Condition\x00", id="a null byte"),
    pytest.param("https://fhir.example\uff0eorg/r4/x", id="a full-width dot"),
    pytest.param("https://[::1/x", id="a bracket that stays open"),
    pytest.param("https://fhir.example.org:99999/r4/x", id="a port that does not exist"),
    pytest.param("file:///r4/x", id="a file"),
    pytest.param("javascript:alert(1)", id="a script"),
    pytest.param("Condition?a=" + "b" * 9_000, id="an endless query"),
    pytest.param("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", id="a URN"),
]


@pytest.mark.parametrize(("url", "expected"), BELOW)
def test_what_is_below_the_base_is_given_as_an_address_of_it(url: str, expected: str) -> None:
    assert HOME.below(url) == "https://fhir.example.org" + expected


@pytest.mark.parametrize("url", LEAVES)
def test_what_leaves_the_base_is_refused(url: str) -> None:
    with pytest.raises(LeavesServer) as caught:
        HOME.below(url)
    assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [("Patient/1", "http://[::1]:8080/Patient/1"), ("?x=1", "http://[::1]:8080/?x=1"), ("", "http://[::1]:8080/")],
)
def test_a_base_without_a_path_has_addresses_below_it(url: str, expected: str) -> None:
    base = parse_base("http://[0::1]:8080/")
    assert base
    assert base.below(url) == expected


@given(
    st.sampled_from(["", BASE, f"{BASE}/", "https://", "//", "/r4/"]),
    st.text(alphabet="evil.xmpl/:@#?\\%2eE5c;[]\t \n\uff0e|&=", max_size=25),
)
def test_whatever_passes_goes_to_the_base(start: str, rest: str) -> None:
    """R-2.27: in the eyes of the library that connects."""
    try:
        address = HOME.below(start + rest)
    except LeavesServer:
        return
    prepared = urlsplit(requests.Request("GET", address).prepare().url or "")
    assert (prepared.scheme, prepared.netloc) == ("https", "fhir.example.org")
    assert (prepared.path + "/").startswith("/r4/")
    assert not {".", ".."} & set(prepared.path.split("/"))
