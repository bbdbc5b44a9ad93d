"""A generated ledger of any size: cards, suggestions, feedback and counts of calls, the same for the same seed.

Clients differ in what matters to a report: two send feedback, one of them with a wrong clock, and one never does.
Content changes every so many weeks, and each change makes one card a little better. No patient is real.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table

from bench.harness.bodies import LEDGER_CARDS, SERVICE_ID
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    SERVICE_CALL_COUNT,
    SILENCED_CARD,
)

REASON_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
_DAY_MS = 86_400_000
_AT_ONCE = 5_000  # cards whose rows are in memory
_SILENT_CALLS = 30  # for one call with a card

Row = tuple[Any, ...]


@dataclass(frozen=True)
class _Client:
    """`answers`: the share of cards that get feedback. `clock_ms`: how far its clock is ahead of ours.

    `silent_days`: for so many days from the start, its users see no card.
    """

    name: str
    tenants: tuple[str, ...]
    share: int
    answers: float
    clock_ms: int = 0
    silent_days: int = 0


@dataclass(frozen=True)
class _Card:
    """`override`: of its answers, before the first change of content; `better`: how much less after each change."""

    key: str
    indicator: str
    share: int
    override: float
    better: float = 0.0
    suggestions: Sequence[str] = ()


CLIENTS = (
    _Client("general-hospital", ("north", "south"), 50, 0.72),
    _Client("university-clinic", ("",), 30, 0.45, clock_ms=-90_000),
    _Client("valley-practices", ("",), 20, 0.0),
    _Client("lakeside-hospital", ("",), 4, 0.6, silent_days=280),
)
CARDS = tuple(_Card(**card) for card in LEDGER_CARDS)
_REASONS: tuple[tuple[str | None, str | None, int], ...] = (
    (REASON_SYSTEM, "action-completed", 41),
    (REASON_SYSTEM, "wrong-time-workflow", 21),
    (REASON_SYSTEM, "indication-order-exists", 9),
    (REASON_SYSTEM, "action-not-priority", 8),
    (REASON_SYSTEM, "need-more-info", 5),
    (REASON_SYSTEM, "patient-ineligible", 3),
    ("https://ehr.example.org/reasons", "=other", 2),  # one that no card offered, and that a spreadsheet would compute
    (None, None, 11),
)
_COLUMNS: dict[Table, Sequence[str]] = {
    table: table.columns.keys()
    for table in (ISSUED_CARD, ISSUED_SUGGESTION, FEEDBACK, ACCEPTED_SUGGESTION, SERVICE_CALL_COUNT, SILENCED_CARD)
}


@dataclass(frozen=True)
class Plan:
    """How many cards, over how many days before `until_ms` (UTC), in how many versions of the content."""

    cards: int = 1_000_000
    days: int = 364
    versions: int = 4
    until_ms: int = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1000)
    seed: int = 20_261_122
    closed: tuple[int, ...] = (100, 101, 102)  # days on which nobody called

    @property
    def since_ms(self) -> int:
        """The first moment that has cards, in ms since 1970."""
        return self.until_ms - self.days * _DAY_MS


def fill_ledger(database: Database, plan: Plan) -> None:
    """Add the plan's rows to a database whose schema is current, in one transaction."""
    with database.write() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA cache_size = -256000")  # ids are random: their indexes should fit in it
        maker = _Maker(plan)
        cards = iter(range(plan.cards))
        while batch := list(islice(cards, _AT_ONCE)):
            for number in batch:
                maker.add_card(number)
            for table, rows in maker.take().items():
                _insert(connection, database, table, rows)
        for table, rows in maker.counted().items():
            _insert(connection, database, table, rows)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # as a server of its own accord does after so many new rows


class _Maker:
    """Makes the rows of one card after the other; `take` hands them over, parents first."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - the same ledger each time is the point
        self._rows: dict[Table, list[Row]] = {table: [] for table in _COLUMNS}
        self._calls: dict[tuple[str, ...], int] = {}

    def take(self) -> dict[Table, list[Row]]:
        """All rows made since the last time."""
        made, self._rows = self._rows, {table: [] for table in _COLUMNS}
        return made

    def counted(self) -> dict[Table, list[Row]]:
        """How many calls there were, for all the cards that were made."""
        return {SERVICE_CALL_COUNT: [(*key, calls) for key, calls in sorted(self._calls.items())]}

    def add_card(self, number: int) -> None:
        """One card, its suggestions, and its feedback."""
        dice, plan = self._random, self._plan
        client = dice.choices(CLIENTS, [one.share for one in CLIENTS])[0]
        card = dice.choices(CARDS, [one.share for one in CARDS])[0]
        tenant = dice.choice(client.tenants)
        issued_ms = plan.since_ms + number * plan.days * _DAY_MS // plan.cards
        if (issued_ms - plan.since_ms) // _DAY_MS in plan.closed:
            issued_ms += len(plan.closed) * _DAY_MS
        version = min((issued_ms - plan.since_ms) * plan.versions // (plan.days * _DAY_MS), plan.versions - 1)
        hook = "order-sign" if dice.random() < 0.6 else "order-select"
        name = self._uuid()
        place = (
            SERVICE_ID,
            hook,
            self._uuid(),
            client.name,
            tenant,
            card.indicator,
            f"{version + 1:x}c0ffee{version:05x}",
        )
        is_silent = issued_ms - plan.since_ms < client.silent_days * _DAY_MS
        self._count(issued_ms, client.name, tenant, hook, "silent" if is_silent else "visible")
        if dice.random() < 0.01 or is_silent:
            cause = "silent-client" if is_silent else "quiet-period"
            self._rows[SILENCED_CARD].append((name, card.key, *place, cause, issued_ms))
            return
        self._rows[ISSUED_CARD].append((name, card.key, *place, issued_ms))
        offered = [(self._uuid(), name, key) for key in card.suggestions]
        self._rows[ISSUED_SUGGESTION] += offered
        if dice.random() < client.answers:
            self._answer(
                name, offered, issued_ms + client.clock_ms, client, tenant, card.override - version * card.better
            )

    def _answer(
        self, card: str, offered: Sequence[Row], shown_ms: int, client: _Client, tenant: str, override: float
    ) -> None:
        """Feedback: one in fifty answers is changed later, one in five hundred is about a card that we never issued."""
        dice = self._random
        overridden = dice.random() < override
        at = shown_ms + int(min(dice.lognormvariate(9.5, 1.4), 40 * _DAY_MS))
        about = self._uuid() if dice.random() < 0.002 else card
        self._entry(about, offered, at, client, tenant, overridden, about != card)
        if about == card and dice.random() < 0.02:
            self._entry(card, offered, at + 60_000, client, tenant, not overridden, False)

    def _entry(
        self, card: str, offered: Sequence[Row], at: int, client: _Client, tenant: str, overridden: bool, foreign: bool
    ) -> None:
        dice = self._random
        digest = dice.randbytes(32)
        system, code, _ = dice.choices(_REASONS, [one[2] for one in _REASONS])[0] if overridden else (None, None, 0)
        odd_reason = system is not None and system != REASON_SYSTEM
        outcome = "overridden" if overridden else "accepted"
        self._rows[FEEDBACK].append(
            (
                digest,
                card,
                SERVICE_ID,
                client.name,
                tenant,
                outcome,
                at,
                at + 2_000,
                system,
                code,
                foreign,
                odd_reason,
                None,
            )
        )
        if not overridden and offered:
            self._rows[ACCEPTED_SUGGESTION].append((digest, dice.choice(offered)[0], foreign))

    def _count(self, at_ms: int, client: str, tenant: str, hook: str, mode: str) -> None:
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
        for outcome, calls in (("cards", 1), ("silent", _SILENT_CALLS)):
            key = (day, client, tenant, SERVICE_ID, hook, mode, outcome)
            self._calls[key] = self._calls.get(key, 0) + calls

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


def _insert(connection: Connection, database: Database, table: Table, rows: Sequence[Row]) -> None:
    """With the driver's own bulk insert: SQLAlchemy's is four times slower on a million."""
    if not rows:
        return
    columns = ", ".join(_COLUMNS[table])
    cursor = connection.connection.cursor()
    if database.is_sqlite:
        marks = ", ".join("?" * len(_COLUMNS[table]))
        cursor.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)  # noqa: S608 - our own names
    else:
        with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    cursor.close()


def main() -> None:
    """Fill a database from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger_rows", description=__doc__)
    parser.add_argument("database_url", help="sqlite:///ledger.sqlite or postgresql://…; tables are made in it")
    parser.add_argument("--cards", type=int, default=Plan.cards, help="how many cards (default: 1000000)")
    parser.add_argument("--days", type=int, default=Plan.days, help="over how many days (default: 364)")
    parser.add_argument("--until-today", action="store_true", help="end them with yesterday, instead of in 2026")
    options = parser.parse_args()
    database = Database(parse_database_url(options.database_url), pool_size=1, statement_ms=0)
    database.upgrade()
    until_ms = int(time.time() * 1000) // _DAY_MS * _DAY_MS if options.until_today else Plan.until_ms
    fill_ledger(database, Plan(cards=options.cards, days=options.days, until_ms=until_ms))
    database.close()


if __name__ == "__main__":
    main()
