"""Key sets, and how long fetched ones are used: with a clock and an issuer of the test (R-6.5, R-6.14)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from structlog.testing import capture_logs

from cds_service import background_refresh
from cds_service.clients import issuer_keys
from cds_service.clients.issuer_keys import ALGORITHMS, FetchedKeys, KeySet, KeysUnobtainable, read_key_file
from tests.token_forge import DROP, Json, jwk_of, key_for, private_jwk_of

SANDBOX_FILE = Path(issuer_keys.__file__).with_name("sandbox-jwks.json")
SANDBOX: Json = json.loads(SANDBOX_FILE.read_text("utf-8"))["keys"][0]
GOOD = jwk_of(key_for("ES384"), "ES384", "good")
P384_PRIME = 2**384 - 2**128 - 2**96 + 2**32 - 1


def key_set(*keys: Any, allow_sandbox: bool = False) -> KeySet:
    return KeySet({"keys": list(keys)}, allow_sandbox=allow_sandbox)


def written(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_of_every_algorithm_is_found_under_its_kid_for_that_algorithm_only(algorithm: str) -> None:
    keys = key_set(jwk_of(key_for(algorithm), algorithm, "k"))
    assert [one for one in ALGORITHMS if keys.find("k", one)] == [algorithm]
    assert keys.find("other", algorithm) is None
    assert (len(keys), "k" in keys, "other" in keys, keys.ignored) == (1, True, False, {})


def test_only_asymmetric_algorithms_can_be_registered() -> None:
    """R-6.4."""
    assert ALGORITHMS == ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")


def test_rsa_key_without_alg_serves_every_rsa_algorithm() -> None:
    keys = key_set(jwk_of(key_for("RS256"), "RS256", "k", alg=DROP, use=DROP))
    assert [one for one in ALGORITHMS if keys.find("k", one)] == [one for one in ALGORITHMS if one[0] in "PR"]


def test_elliptic_key_without_alg_serves_the_algorithm_of_its_curve() -> None:
    keys = key_set(jwk_of(key_for("ES512"), "ES512", "k", alg=DROP))
    assert [one for one in ALGORITHMS if keys.find("k", one)] == ["ES512"]


def test_key_is_parsed_once() -> None:
    keys = key_set(GOOD)
    assert keys.find("good", "ES384") is keys.find("good", "ES384")


NOT_PUBLIC = "a private or symmetric key"
NOT_FOR_SIGNATURES, NO_ALGORITHM = "a key that is not for signatures", "a kind of key that no algorithm here takes"
NO_KID, UNREADABLE = "a key without kid", "a key that cannot be read"
USELESS = [
    pytest.param(None, NO_KID, id="null"),
    pytest.param([], NO_KID, id="a list"),
    pytest.param("good", NO_KID, id="a text"),
    pytest.param({}, NO_KID, id="an empty object"),
    pytest.param(GOOD | {"kid": ""}, NO_KID, id="an empty kid"),
    pytest.param(GOOD | {"kid": None}, NO_KID, id="a kid that is null"),
    pytest.param(GOOD | {"kid": ["good"]}, NO_KID, id="a kid in a list"),
    pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, NOT_PUBLIC, id="a symmetric key"),
    pytest.param(private_jwk_of(key_for("ES384"), "ES384", "k"), NOT_PUBLIC, id="a private EC key"),
    pytest.param(private_jwk_of(key_for("RS384"), "RS384", "k"), NOT_PUBLIC, id="a private RSA key"),
    pytest.param(GOOD | {"d": None}, NOT_PUBLIC, id="a private member without a value"),
    pytest.param(GOOD | {"use": "enc"}, NOT_FOR_SIGNATURES, id="use enc"),
    pytest.param(GOOD | {"use": None}, NOT_FOR_SIGNATURES, id="use null"),
    pytest.param(GOOD | {"key_ops": ["sign"]}, NOT_FOR_SIGNATURES, id="key_ops sign"),
    pytest.param(GOOD | {"key_ops": []}, NOT_FOR_SIGNATURES, id="key_ops empty"),
    pytest.param(GOOD | {"key_ops": None}, NOT_FOR_SIGNATURES, id="key_ops null"),
    pytest.param(GOOD | {"key_ops": 1}, NOT_FOR_SIGNATURES, id="key_ops a number"),
    pytest.param(GOOD | {"key_ops": "verify"}, NOT_FOR_SIGNATURES, id="key_ops a text"),
    pytest.param(GOOD | {"alg": "HS384"}, NO_ALGORITHM, id="alg HS384"),
    pytest.param(GOOD | {"alg": "none"}, NO_ALGORITHM, id="alg none"),
    pytest.param(GOOD | {"alg": "ES256"}, NO_ALGORITHM, id="alg of another curve"),
    pytest.param(GOOD | {"alg": None}, NO_ALGORITHM, id="alg null"),
    pytest.param(GOOD | {"crv": "secp256k1"}, NO_ALGORITHM, id="a curve that is not taken"),
    pytest.param(GOOD | {"crv": ["P-384"]}, NO_ALGORITHM, id="a curve in a list"),
    pytest.param(GOOD | {"kty": None}, NO_ALGORITHM, id="kty null"),
    pytest.param(GOOD | {"x": ""}, UNREADABLE, id="x empty"),
    pytest.param(GOOD | {"x": "AAAA"}, UNREADABLE, id="x too short"),
    pytest.param(GOOD | {"x": 1}, UNREADABLE, id="x a number"),
    pytest.param(GOOD | {"x": GOOD["y"]}, UNREADABLE, id="a point that is not on the curve"),
    pytest.param({name: GOOD[name] for name in GOOD if name != "y"}, UNREADABLE, id="no y"),
    pytest.param(GOOD | {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}, UNREADABLE, id="an x too long for Ed25519"),
    pytest.param({"kty": "RSA", "kid": "k", "e": "AQAB"}, UNREADABLE, id="an RSA key without n"),
    pytest.param({"kty": "RSA", "kid": "k", "n": [], "e": {}}, UNREADABLE, id="an RSA key of other types"),
    pytest.param({"kty": "RSA", "kid": "k", "n": "", "e": ""}, UNREADABLE, id="an RSA key of nothing"),
    pytest.param(
        jwk_of(key_for("RS384", "weak"), "RS384", "k"), "an RSA key of fewer than 2048 bits", id="RSA of 1024 bits"
    ),
    pytest.param(
        jwk_of(key_for("RS384"), "RS384", "k", e="AQ"), UNREADABLE, id="RSA with the exponent 1, which anybody signs"
    ),
]


@pytest.mark.parametrize(("jwk", "why"), USELESS)
def test_useless_member_of_a_set_is_passed_over_and_counted(jwk: Any, why: str) -> None:
    keys = key_set(jwk, GOOD, jwk)
    assert (len(keys), keys.ignored) == (1, {why: 2})
    assert keys.find("good", "ES384")
    assert [one for one in ALGORITHMS if keys.find("k", one)] == []


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "x"}])
def test_what_is_no_key_set_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="is not a JSON Web Key Set"):
        KeySet(document, allow_sandbox=False)


def test_first_of_two_keys_with_one_kid_counts() -> None:
    """R-6.5."""
    keys = key_set(GOOD, jwk_of(key_for("ES384", "attacker"), "ES384", "good"))
    assert keys.ignored == {"a kid that is listed twice": 1}
    found = keys.find("good", "ES384")
    assert found
    assert found.key.public_numbers() == key_for("ES384").public_key().public_numbers()


def other_y() -> str:
    """The point with the same x: its private half is n - d, and so as public as d."""
    y = int.from_bytes(base64.urlsafe_b64decode(SANDBOX["y"]), "big")
    return base64.urlsafe_b64encode((P384_PRIME - y).to_bytes(48, "big")).decode()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"kid": "mine", "use": "sig", "x5c": []}, id="under another kid"),
        pytest.param({"x": SANDBOX["x"].replace("_", "/").replace("-", "+")}, id="in the other alphabet of base64"),
        pytest.param({"x": SANDBOX["x"][:20] + "\n" + SANDBOX["x"][20:]}, id="with a line break in x"),
        pytest.param({"x": "!" + SANDBOX["x"]}, id="with a character that base64 passes over"),
        pytest.param({"y": other_y()}, id="with the other y"),
    ],
)
def test_key_of_the_sandbox_is_known_however_it_is_written(change: Json) -> None:
    """Everybody has its private half."""
    smuggled = SANDBOX | change
    keys = key_set(smuggled, GOOD)
    assert keys.find(smuggled["kid"], "ES384") is None
    assert list(keys.ignored) in (
        ["the key of the CDS Hooks Sandbox, whose private half is public"],
        ["a key that cannot be read"],  # where base64 is read strictly
    )
    assert len(key_set(SANDBOX | {"y": other_y()}, SANDBOX, allow_sandbox=True)) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "cannot be read", id="not there"),
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----", "is not JSON", id="PEM"),
        pytest.param(b"\xff\xff", "is not JSON", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "is not JSON", id="very deep"),
        pytest.param(b"[]", "is not a JSON Web Key Set", id="a list"),
        pytest.param(json.dumps(GOOD).encode(), "is not a JSON Web Key Set", id="one key alone"),
        pytest.param(written(), "has no key", id="no key"),
        pytest.param(written(GOOD, SANDBOX), "the key of the CDS Hooks Sandbox", id="the Sandbox beside a good one"),
        pytest.param(written(GOOD, GOOD), "holds a kid that is listed twice", id="a key twice"),
        pytest.param(written(GOOD, {"kid": "x"}), "leave only what verifies", id="a key of no use"),
    ],
)
def test_fault_of_a_key_file_is_said_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    """A file is written by hand, for us: what is of no use in it is a mistake."""
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as fault:
        read_key_file(path, allow_sandbox=False)
    assert "\n" not in str(fault.value)


def test_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(written(GOOD))
    assert read_key_file(path, allow_sandbox=False).find("good", "ES384")
    assert read_key_file(SANDBOX_FILE, allow_sandbox=True).find(SANDBOX["kid"], "ES384")


class FakeIssuer:
    """Gives `body`, or raises it; counts; holds an answer back until `free` is set."""

    def __init__(self, body: bytes | Exception) -> None:
        self.body = body
        self.asked = 0
        self.free = Event()
        self.free.set()

    def __call__(self, url: str) -> bytes:
        assert url == "https://issuer.example.org/jwks"
        self.asked += 1
        assert self.free.wait(20)
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer(written(GOOD))


@pytest.fixture
def keys(issuer: FakeIssuer, clock: Clock) -> FetchedKeys:
    return FetchedKeys("clinic", "https://issuer.example.org/jwks", issuer, allow_sandbox=False, monotonic=clock)


def until(is_so: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not is_so():
        assert monotonic() < deadline, "it never was"
        sleep(0.002)


def test_nothing_is_fetched_before_a_token_needs_it(keys: FetchedKeys, issuer: FakeIssuer) -> None:
    assert issuer.asked == 0
    assert keys.find("good", "ES384")
    assert keys.find("good", "RS384") is None
    assert issuer.asked == 1


def test_unknown_kid_asks_once_a_minute(keys: FetchedKeys, issuer: FakeIssuer, clock: Clock) -> None:
    for minute in range(5):
        clock.now_s = minute * 60
        for number in range(100):
            assert keys.find(f"unknown {number}", "ES384") is None
        assert issuer.asked == minute + 1


def test_old_keys_are_fetched_beside_the_call(keys: FetchedKeys, issuer: FakeIssuer, clock: Clock) -> None:
    """A call with a known key never waits, not even for an issuer that hangs."""
    assert keys.find("good", "ES384")
    issuer.free.clear()
    for at_s in (299, 300, 301, 3_000):
        clock.now_s = at_s
        assert keys.find("good", "ES384")
    until(lambda: issuer.asked == 2)
    issuer.body = written(jwk_of(key_for("ES384"), "ES384", "new"))
    issuer.free.set()
    until(lambda: keys.find("good", "ES384") is None)
    assert keys.find("new", "ES384")
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(KeysUnobtainable(), id="an outage"),
        pytest.param(RuntimeError("of a library"), id="a fault of a library"),
        pytest.param(MemoryError(), id="no memory"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"[" * 100_000, id="nesting without end"),
        pytest.param(written(), id="no keys"),
        pytest.param(written(SANDBOX), id="the Sandbox's key only"),
    ],
)
def test_nothing_that_an_issuer_gives_loses_the_keys_there_are(
    keys: FetchedKeys, issuer: FakeIssuer, clock: Clock, body: bytes | Exception
) -> None:
    good, issuer.body = issuer.body, body
    with capture_logs() as log:
        for _ in range(3):
            with pytest.raises(KeysUnobtainable):
                keys.find("good", "ES384")
    assert [(one["cds_hooks.client"], one["cds_hooks.keys.known"]) for one in log] == [("clinic", False)]
    clock.now_s, issuer.body = 5, good
    assert keys.find("good", "ES384")
    clock.now_s, issuer.body = 65, body
    with capture_logs() as log:
        assert keys.find("unknown", "ES384") is None
        assert keys.find("good", "ES384")
    assert [one["cds_hooks.keys.known"] for one in log] == [True]
    assert "issuer.example.org" not in repr(log)


def test_issuer_without_keys_is_asked_every_five_seconds(keys: FetchedKeys, issuer: FakeIssuer, clock: Clock) -> None:
    issuer.body = KeysUnobtainable()
    with capture_logs():
        for at_s in (0, 1, 4.9, 5, 9.9, 10):
            clock.now_s = at_s
            with pytest.raises(KeysUnobtainable):
                keys.find("good", "ES384")
    assert issuer.asked == 3


def test_first_calls_wait_for_one_fetch_together(keys: FetchedKeys, issuer: FakeIssuer) -> None:
    """Eight of them; more would be threads that other clients need, and get 503 at once."""
    issuer.free.clear()
    outcomes: list[str] = []

    def ask() -> None:
        try:
            outcomes.append("found" if keys.find("good", "ES384") else "not found")
        except KeysUnobtainable:
            outcomes.append("unobtainable")

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: outcomes.count("unobtainable") == 12)
    issuer.free.set()
    for thread in threads:
        thread.join()
    assert (issuer.asked, outcomes.count("found")) == (1, 8)


def test_call_does_not_wait_long_for_an_issuer_that_hangs(
    keys: FetchedKeys, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "_WAIT_S", 0.05)
    issuer.free.clear()
    for _ in range(3):
        with pytest.raises(KeysUnobtainable):
            keys.find("good", "ES384")
    issuer.free.set()
    until(lambda: keys.is_known)
    assert keys.find("good", "ES384")
    assert issuer.asked == 1


def test_want_of_threads_is_an_outage_and_passes(
    keys: FetchedKeys, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call tries again: nothing stays locked."""

    class NoThread:
        def __init__(self, **_: Any) -> None: ...

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(background_refresh, "Thread", NoThread)
        with pytest.raises(KeysUnobtainable):
            keys.find("good", "ES384")
    assert keys.find("good", "ES384")
    assert issuer.asked == 1


def test_asking_for_once_says_what_is_there(keys: FetchedKeys, issuer: FakeIssuer) -> None:
    """For an operator: nothing is kept of it."""
    issuer.body = written(GOOD, SANDBOX)
    asked = keys.ask()
    assert (len(asked), len(asked.ignored)) == (1, 1)
    issuer.body = b"{}"
    with pytest.raises(KeysUnobtainable):
        keys.ask()
