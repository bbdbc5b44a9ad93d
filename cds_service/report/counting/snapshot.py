"""One reading of the ledger: the cards of the window, counted, and those with answers, in two temporary tables.

Nearly all questions are then asked of these two, so that the ledger is joined once. The rules are stated in
docs/report.md, and in the report itself:

- accepted where any feedback accepts, else overridden where any overrides, else unanswered;
- time to action is from the card's issue to its earliest feedback, as the client's clock has it. Clocks differ: up to
  CLOCK_LEEWAY_MS too early counts as at once; earlier still, or later than LONGEST_WAIT_MS, is left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Index,
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

OVERRIDDEN, ACCEPTED = 1, 2
CLOCK_LEEWAY_MS = 60_000
LONGEST_WAIT_MS = 7 * DAY_MS
_MEMORY_KIB = 32_000  # of the database, for sorting; with what they have by default both take twice as long
_AS_TOLD, _AT_ONCE, _TOO_EARLY, _TOO_LATE = 0, 1, 2, 3

_TEMPORARY = MetaData()
_NAME = String(200)

# One row per card with an answer. `day`: since 1970, UTC. `timing`: how the client's clock was taken (above).
# `changed`: 1 where feedback contradicts itself. `overrides`: how many entries override; the reason is for use where
# that is one.
ANSWERED = Table(
    "report_answered",
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
    Column("overrides", BigInteger),
    Column("reason_system", _NAME),
    Column("reason_code", _NAME),
    Column("foreign_reason", SmallInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
Index("ix_report_answered_card_uuid", ANSWERED.c.card_uuid)

# All cards, counted: far fewer rows, from which every count of the report is a sum. Rows of cards and rows of answers.
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
    Column("cards", BigInteger),
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    Column("accepted", BigInteger),
    Column("overridden", BigInteger),
    Column("timed", BigInteger),
    Column("at_once", BigInteger),
    Column("too_early", BigInteger),
    Column("too_late", BigInteger),
    Column("changed", BigInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
# what cells differ in; in a GROUP BY the names that differ most stand first, so that rows are told apart at once
_PARTS = ("day", "card_key", "client", "tenant", "content_version", "service", "indicator")


def inline(number: int) -> BindParameter[int]:
    """A number written into the statement: PostgreSQL does not see that two parameters in a GROUP BY are the same."""
    return literal(number, BigInteger, literal_execute=True)


@contextmanager
def ledger_snapshot(database: Database, window: Window) -> Iterator[Connection]:
    """A transaction that sees one moment of the ledger, with ANSWERED and CELL filled. What is stored stays as it is.

    Over a long ledger it takes many seconds: open the database with `statement_ms=0`. Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        if database.is_sqlite:  # its transactions see one moment anyhow
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql(f"SET LOCAL work_mem = '{_MEMORY_KIB}kB'")
        _TEMPORARY.create_all(connection, checkfirst=False)
        answered = _answered(window)
        connection.execute(ANSWERED.insert().from_select(ANSWERED.columns.keys(), answered))
        connection.exec_driver_sql(f"ANALYZE {ANSWERED.name}")  # else neither knows in which order to join it
        for names, cells in (_issued_cells(window), _answer_cells()):
            connection.execute(CELL.insert().from_select(names, cells))
        yield connection  # and then all is rolled back, the two tables with it


def is_in(window: Window) -> ColumnElement[bool]:
    """Whether a card was issued in the window."""
    return (ISSUED_CARD.c.issued_at_ms >= window.since_ms) & (ISSUED_CARD.c.issued_at_ms < window.until_ms)


def _answered(window: Window) -> Select[tuple[object, ...]]:
    """What feedback says of each card of the window that has any."""
    entry, card = FEEDBACK.c, ISSUED_CARD.c
    accepted = func.max(case((entry.outcome == "accepted", 1), else_=0))
    overridden = func.max(case((entry.outcome == "overridden", 1), else_=0))
    override = entry.outcome == "overridden"
    wait = func.min(entry.outcome_at_ms) - card.issued_at_ms
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
            case((accepted == 1, ACCEPTED), else_=OVERRIDDEN),
            counted_wait,
            timing,
            accepted * overridden,
            func.sum(case((override, 1), else_=0)),
            func.min(case((override, entry.reason_system))),
            func.min(case((override, entry.reason_code))),
            func.max(case((override & entry.foreign_reason.is_(True), 1), else_=0)),
        )
        .select_from(FEEDBACK.join(ISSUED_CARD, card.card_uuid == entry.card_uuid))
        .where(is_in(window), entry.foreign_card.is_(False), entry.outcome.in_(("accepted", "overridden")))
        .group_by(card.card_uuid)
    )


def _issued_cells(window: Window) -> tuple[Sequence[str], Select[tuple[object, ...]]]:
    """How many cards there were."""
    card = ISSUED_CARD.c
    day = (card.issued_at_ms // inline(DAY_MS)).label("day")
    parts = [day if name == "day" else card[name] for name in _PARTS]
    issued = select(*parts, func.count(), func.min(card.issued_at_ms), func.max(card.issued_at_ms))
    return (*_PARTS, "cards", "first_ms", "last_ms"), issued.where(is_in(window)).group_by(*parts)


def _answer_cells() -> tuple[Sequence[str], Select[tuple[object, ...]]]:
    """What became of them."""
    card = ANSWERED.c

    def times(column: ColumnElement[int], value: int) -> ColumnElement[int]:
        return func.sum(case((column == value, 1), else_=0))

    parts = [card[name] for name in _PARTS]
    sums = {
        "accepted": times(card.answer, ACCEPTED),
        "overridden": times(card.answer, OVERRIDDEN),
        "timed": func.count(card.wait_ms),
        "at_once": times(card.timing, _AT_ONCE),
        "too_early": times(card.timing, _TOO_EARLY),
        "too_late": times(card.timing, _TOO_LATE),
        "changed": func.sum(card.changed),
    }
    return (*_PARTS, *sums), select(*parts, *sums.values()).group_by(*parts)
