"""What a client's token costs a call: `python -m bench.token_cost [--database-url postgresql://…]`.

Verification with a key that is known, then the replay check, each by itself; medians of wall and processor time in ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import get_default_algorithms

from cds_service.clients.registry import load_registry
from cds_service.clients.token_check import ClientAuth
from cds_service.clients.token_replay import SeenTokens
from cds_service.steps import Steps, run_steps
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.writer import Writer

_ISSUER, _AUDIENCE = "https://ehr.example.org", "https://cds.example.org/cds-services/lumbar-puncture-back-pain"


class _NothingSeen(SeenTokens):
    """No replay check, so that only verification is measured."""

    def __init__(self) -> None: ...

    def is_first_use(self, *_: object) -> Steps[bool]:
        yield from ()
        return True


def _now() -> datetime:
    return datetime.now(UTC)


def _tokens(algorithm: str, key: object, count: int) -> list[str]:
    now_s = int(time.time())
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "iat": now_s, "exp": now_s + 3_600, "tenant": "north"}
    headers = {"kid": algorithm}
    return [
        "Bearer " + jwt.encode(claims | {"jti": str(uuid4())}, key, algorithm, headers)  # type: ignore[arg-type]
        for _ in range(count)
    ]


def _auth(folder: Path, keys: dict[str, object]) -> ClientAuth:
    """Client authentication with one client, whose keys are in a file."""
    jwks = [
        json.loads(get_default_algorithms()[name].to_jwk(key.public_key()))  # type: ignore[attr-defined]
        | {"kid": name, "alg": name}
        for name, key in keys.items()
    ]
    (folder / "keys.json").write_text(json.dumps({"keys": jwks}), "utf-8")
    (folder / "clients.toml").write_text(
        f'[[clients]]\nname = "hospital"\nissuer = "{_ISSUER}"\njwks_file = "keys.json"\n'
        f'tenants = ["north"]\nalgorithms = {json.dumps(list(keys))}\n',
        "utf-8",
    )
    registry = load_registry(folder / "clients.toml", production=True, fetch=lambda _: b"")
    return ClientAuth(registry, _NothingSeen(), _now, required=True, production=True)


def _measure(what: str, calls: Iterable[Callable[[], object]]) -> None:
    wall, processor = [], []
    for call in calls:
        began, began_cpu = time.perf_counter_ns(), time.process_time_ns()
        call()
        processor.append((time.process_time_ns() - began_cpu) / 1e6)
        wall.append((time.perf_counter_ns() - began) / 1e6)
    print(
        f"{what:<34} {statistics.median(wall):>8.3f} ms wall  {statistics.median(processor):>8.3f} ms processor"
        f"  (p95 {statistics.quantiles(wall, n=20)[-1]:.3f} ms wall, {len(wall)} calls)"
    )


def _measure_replay(url: str, count: int) -> None:
    database = Database(parse_database_url(url), pool_size=1)
    try:
        database.upgrade()
        writer = Writer(database)
        seen = SeenTokens(database, writer, _now)
        until_s = int(time.time()) + 3_660
        ids = [str(uuid4()) for _ in range(count)]
        name = "SQLite" if database.is_sqlite else "PostgreSQL"
        for use in ("first", "second"):
            calls = (partial(_check, seen, jti, until_s) for jti in ids)
            _measure(f"replay check, {name}, {use} use", calls)
        writer.close()
    finally:
        database.close()


def _check(seen: SeenTokens, jti: str, until_s: int) -> None:
    run_steps(seen.is_first_use(_ISSUER, jti, until_s))


def _authenticate(auth: ClientAuth, token: str) -> None:
    run_steps(auth.authenticate(token, {_AUDIENCE}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="also measure the replay check there; its schema is made")
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    keys: dict[str, object] = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "RS384": rsa.generate_private_key(65537, 2048),
    }
    with tempfile.TemporaryDirectory() as folder:
        auth = _auth(Path(folder), keys)
        for algorithm, key in keys.items():
            first, *tokens = _tokens(algorithm, key, options.calls + 1)
            _authenticate(auth, first)
            calls = (partial(_authenticate, auth, token) for token in tokens)
            _measure(f"verification, {algorithm}", calls)
        _measure_replay(f"sqlite:///{folder}/ledger.sqlite", options.calls)
    if options.database_url:
        _measure_replay(options.database_url, options.calls)


if __name__ == "__main__":
    main()
