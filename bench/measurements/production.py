"""The production profile: every call with a token and its replay check, against development without tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

from bench.harness.bodies import CARDS, SILENT, order_with_cards, unrelated_order
from bench.harness.client import Request
from bench.harness.figures import Aim, p99, ratios, spread
from bench.harness.load import CLIENTS, NOTE, Clients, Slice, running_clients
from bench.harness.report import print_table
from bench.harness.server import READY, SERVICE, Server, our_command, running, settle
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.databases import PostgresqlServer, server_programs
from tests.registered_service import ISSUER, PUBLIC_URL, client_entry, write_clients
from tests.token_forge import Forge, jwk_of, key_for

_ALGORITHMS = ("ES384", "RS384")
_CALLS = {
    "silent order, 50 Conditions": (unrelated_order(50), SILENT),
    "order with cards, 50 Conditions": (order_with_cards(50), CARDS),
}
_DEVELOPMENT = "development, no token"
_WARM_UP_SECONDS = 0.3
_MOST_SECONDS = 2.5  # of load for each line: signing the tokens before it takes about twice as long
_FIRST_RATE = 1_500.0  # calls a second for which tokens are signed before any rate is known
_MARGIN = 2.0


class SignedCalls:
    """A hook call with another token each time; used as a Request. Raises ValueError when the tokens are used up."""

    def __init__(self, body: bytes, answer_begins: bytes, tokens: Sequence[str]) -> None:
        self.answer_begins = answer_begins
        head, _, self._rest = Request.post(SERVICE, body, answer_begins).wire.partition(b"\r\n")
        self._head = head + b"\r\nAuthorization: "
        self._tokens = iter(tokens)

    @property
    def wire(self) -> bytes:
        """The bytes of the next call."""
        token = next(self._tokens, None)
        if token is None:
            raise ValueError("no token is left")
        return self._head + token.encode() + b"\r\n" + self._rest


@dataclass
class _Target:
    """One line of the table: `algorithm` None sends no token; `rate` is the greatest seen so far, in calls a second."""

    server: Server
    body: bytes
    answer_begins: bytes
    algorithm: str | None
    rate: float = _FIRST_RATE

    def load(self, clients: Clients, seconds: float) -> Slice:
        """One slice of load. The tokens are signed before it."""
        request: Request | list[Request] = Request.post(SERVICE, self.body, self.answer_begins)
        if self.algorithm:
            count = int(_MARGIN * self.rate * seconds / CLIENTS) + 50
            request = [
                cast("Request", SignedCalls(self.body, self.answer_begins, _tokens(self.algorithm, count)))
                for _ in range(CLIENTS)
            ]
        return clients.load(self.server, request, seconds)

    def warm_up(self, clients: Clients) -> None:
        """Load it without measuring. Raises RuntimeError if an answer is wrong."""
        one = self.load(clients, _WARM_UP_SECONDS)
        if one.errors:
            raise RuntimeError(f"the production profile does not answer as it should ({one.errors} errors)")
        self.rate = one.per_second or self.rate  # 0: the clients were still importing what signed calls need


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Load all in turn, and print; no aim, and how many answers were wrong."""
    slice_seconds = min(seconds, _MOST_SECONDS) / rounds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        servers = {"SQLite": stack.enter_context(_production(folder, f"sqlite:///{folder}/production.sqlite"))}
        programs = server_programs()
        if programs:
            postgresql = PostgresqlServer(programs)
            stack.callback(postgresql.remove)
            servers["PostgreSQL"] = stack.enter_context(_production(folder, postgresql.url(postgresql.create())))
        development = stack.enter_context(running(our_command(), READY))
        for server in (development, *servers.values()):
            settle(server)
        clients = stack.enter_context(running_clients())
        found = _rounds(clients, _targets(development, servers), rounds, slice_seconds)
    _print(found, rounds, slice_seconds, has_postgresql=programs is not None)
    return [], sum(one.errors for slices in found.values() for one in slices)


def _targets(development: Server, servers: Mapping[str, Server]) -> dict[tuple[str, str], _Target]:
    targets = {}
    for name, (body, begins) in _CALLS.items():
        targets[name, _DEVELOPMENT] = _Target(development, body, begins, None)
        for database, server in servers.items():
            for algorithm in _ALGORITHMS:
                targets[name, f"{algorithm}, {database}"] = _Target(server, body, begins, algorithm)
    return targets


def _rounds(
    clients: Clients, targets: Mapping[tuple[str, str], _Target], rounds: int, seconds: float
) -> dict[tuple[str, str], list[Slice]]:
    for target in targets.values():
        target.warm_up(clients)
    found: dict[tuple[str, str], list[Slice]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            one = target.load(clients, seconds)
            if not one.latencies_ms:
                raise RuntimeError(f"{', '.join(name)}: the server no longer answers as it should")
            target.rate = max(target.rate, one.per_second)
            found[name].append(one)
    return found


def _print(found: Mapping[tuple[str, str], list[Slice]], rounds: int, seconds: float, *, has_postgresql: bool) -> None:
    rows = []
    for (call, way), slices in found.items():
        reference = found[call, _DEVELOPMENT]
        rate, spent = ([one.per_second for one in slices], [one.server_ms for one in slices])
        latencies = [ms for one in slices for ms in one.latencies_ms]
        row = [f"{call}: {way}", spread(rate, 0), spread(spent, 2)]
        row += [
            spread(ratios(rate, [one.per_second for one in reference]), 2) if way != _DEVELOPMENT else "1",
            spread(ratios(spent, [one.server_ms for one in reference]), 2) if way != _DEVELOPMENT else "1",
        ]
        rows.append([*row, f"{median(latencies):.1f}", f"{p99(latencies):.1f}", f"{sum(one.errors for one in slices)}"])
    notes = [
        f"1 worker; {NOTE}; {rounds} slices of {seconds:g} s in turn; least / median / greatest",
        "every call has a token of its own, signed before the slice; its id is on the disk before the call is answered",
        "ratios: within the round, over the development profile without tokens on SQLite",
        "processor ms: our processes only; PostgreSQL's own are not in it, and share the processors"
        if has_postgresql
        else "PostgreSQL is not measured: no server is installed (`apt-get install postgresql`)",
    ]
    head = ["", "calls/s", "processor ms a call", "calls/s, ratio", "processor ms, ratio", "p50 ms", "p99 ms", "errors"]
    print_table("Production profile: client tokens and their replay check", notes, head, rows)


def _tokens(algorithm: str, count: int) -> list[str]:
    """Authorization headers for the service, as of now."""
    named = {"issuer": ISSUER, "audience": f"{PUBLIC_URL}{SERVICE}", "tenant": None}
    key, now_s = key_for(algorithm), time.time()
    return [Forge(now_s, **named, kid=algorithm, algorithm=algorithm, key=key).bearer() for _ in range(count)]


@contextmanager
def _production(folder: Path, url: str) -> Iterator[Server]:
    """A server in the production profile, until the block is left; its clients file is written to the folder."""
    registry = client_entry("hospital", ISSUER, algorithms=_ALGORITHMS)
    keys = [jwk_of(key_for(algorithm), algorithm, algorithm) for algorithm in _ALGORITHMS]
    settings = {
        "CDS_PROFILE": "production",
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_CLIENTS_FILE": str(write_clients(folder, registry, {"hospital": keys})),
        "CDS_DATABASE_URL": url,
    }
    database = Database(parse_database_url(url), pool_size=1)
    database.upgrade()
    database.close()
    with running(our_command(), READY, settings) as server:
        yield server
