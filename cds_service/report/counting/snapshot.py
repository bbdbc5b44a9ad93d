"""One reading of the ledger: every card of the window with what became of it, in two temporary tables.

All questions are then asked of these two, so that they speak of the same moment, and the ledger is joined once. The
rules are stated in docs/report.md, and in the report itself:

- accepted where any feedback accepts, else overridden where any overrides, else unanswered;
- time to action is from the card's issue to its earliest feedback, as the client's clock has it. Clocks differ: up to
  CLOCK_LEEWAY_MS too early counts as at once; earlier still, or later than LONGEST_WAIT_MS, is left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    SmallInteger,
    String,
    Table,
    case,
    func,
    literal,
    null,
    select,
)

from cds_service.report.counting.window import DAY_MS, Window
from cds_service.storage.database import Database
from cds_service.storage.schema import FEEDBACK, ISSUED_CARD

UNANSWERED, OVERRIDDEN, ACCEPTED = 0, 1, 2
CLOCK_LEEWAY_MS = 60_000
LONGEST_WAIT_MS = 7 * DAY_MS
_MEMORY_KIB = 32_000  # of the database, for sorting; with what they have by default both take twice as long
_AS_TOLD, _AT_ONCE, _TOO_EARLY, _TOO_LATE = 0, 1, 2, 3

_TEMPORARY = MetaData()
_NAME = String(200)

# One row per card. `day`: since 1970, UTC. `timing`: how the client's clock was taken (above). `changed`: 1 where
# feedback contradicts itself.
CARD = Table(
    "report_card",
    _TEMPORARY,
    Column("card_uuid", String(36)),
    Column("service", _NAME),
    Column("card_key", _NAME),
    Column("indicator", String(20)),
    Column("client", _NAME),
    Column("tenant", _NAME),
    Column("content_version", String(40)),
    Column("issued_at_ms", BigInteger),
    Column("day", BigInteger),
    Column("answer", SmallInteger),
    Column("wait_ms", BigInteger),
    Column("timing", SmallInteger),
    Column("changed", SmallInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)

# The same cards, counted: far fewer rows, from which every count of the report is a sum.
CELL = Table(
    "report_cell",
    _TEMPORARY,
    Column("service", _NAME),
    Column("card_key", _NAME),
    Column("indicator", String(20)),
    Column("client", _NAME),
    Column("tenant", _NAME),
    Column("content_version", String(40)),
    Column("day", BigInteger),
    Column("answer", SmallInteger),
    Column("cards", BigInteger),
    Column("timed", BigInteger),
    Column("at_once", BigInteger),
    Column("too_early", BigInteger),
    Column("too_late", BigInteger),
    Column("changed", BigInteger),
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


def inline(number: int) -> BindParameter[int]:
    """A number written into the statement: PostgreSQL does not see that two parameters in a GROUP BY are the same."""
    return literal(number, BigInteger, literal_execute=True)


@contextmanager
def ledger_snapshot(database: Database, window: Window) -> Iterator[Connection]:
    """A transaction that sees one moment of the ledger, with CARD and CELL filled. What is stored stays as it is.

    Over a long ledger it takes many seconds: open the database with `statement_ms=0`. Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        if database.is_sqlite:  # its transactions see one moment anyhow
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql(f"SET LOCAL work_mem = '{_MEMORY_KIB}kB'")
        _TEMPORARY.create_all(connection, checkfirst=False)
        connection.execute(CARD.insert().from_select(CARD.columns.keys(), _cards(window)))
        if not database.is_sqlite:
            connection.exec_driver_sql(f"ANALYZE {CARD.name}")  # else it sorts for groups that it could hash
        connection.execute(CELL.insert().from_select(CELL.columns.keys(), _cells()))
        yield connection  # and then all is rolled back, the two tables with it


def _cards(window: Window) -> Select[tuple[object, ...]]:
    """What feedback says of each card, put to the cards of the window."""
    said = FEEDBACK.c.outcome
    accepted = func.max(case((said == "accepted", 1), else_=0))
    overridden = func.max(case((said == "overridden", 1), else_=0))
    shown = (ISSUED_CARD.c.issued_at_ms >= window.since_ms) & (ISSUED_CARD.c.issued_at_ms < window.until_ms)
    entries = (
        select(
            FEEDBACK.c.card_uuid,
            case((accepted == 1, ACCEPTED), else_=OVERRIDDEN).label("answer"),
            func.min(FEEDBACK.c.outcome_at_ms).label("first_at_ms"),
            (accepted * overridden).label("changed"),
        )
        # joined here, too, so that a short window of a long ledger reads little
        .select_from(FEEDBACK.join(ISSUED_CARD, ISSUED_CARD.c.card_uuid == FEEDBACK.c.card_uuid))
        .where(shown, FEEDBACK.c.foreign_card.is_(False), said.in_(("accepted", "overridden")))
        .group_by(FEEDBACK.c.card_uuid)
        .subquery()
    )
    card = ISSUED_CARD.c
    wait = entries.c.first_at_ms - card.issued_at_ms
    timing = case(
        (wait < -CLOCK_LEEWAY_MS, _TOO_EARLY), (wait < 0, _AT_ONCE), (wait > LONGEST_WAIT_MS, _TOO_LATE), else_=_AS_TOLD
    )
    counted_wait = case((wait < -CLOCK_LEEWAY_MS, null()), (wait < 0, 0), (wait > LONGEST_WAIT_MS, null()), else_=wait)
    return (
        select(
            card.card_uuid,
            card.service,
            card.card_key,
            card.indicator,
            card.client,
            card.tenant,
            card.content_version,
            card.issued_at_ms,
            card.issued_at_ms // DAY_MS,
            func.coalesce(entries.c.answer, UNANSWERED),
            counted_wait,
            timing,
            func.coalesce(entries.c.changed, 0),
        )
        .select_from(ISSUED_CARD.outerjoin(entries, entries.c.card_uuid == card.card_uuid))
        .where(shown)
    )


def _cells() -> Select[tuple[object, ...]]:
    card = CARD.c

    def taken(timing: int) -> ColumnElement[int]:
        return func.sum(case((card.timing == timing, 1), else_=0))

    names = ("service", "card_key", "indicator", "client", "tenant", "content_version", "day", "answer")
    parts = [card[name] for name in names]
    return select(
        *parts,
        func.count(),
        func.count(card.wait_ms),
        taken(_AT_ONCE),
        taken(_TOO_EARLY),
        taken(_TOO_LATE),
        func.sum(card.changed),
        func.min(card.issued_at_ms),
        func.max(card.issued_at_ms),
    ).group_by(*parts)
