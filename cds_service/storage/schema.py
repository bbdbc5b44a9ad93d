"""The tables of the database: ids of calls and cards, never of patients or users (SECURITY.md).

The migrations in `migrations/versions` make these tables; a test compares the two. Times are whole milliseconds (or,
where a token says so, seconds) since 1970 in UTC: the same number in SQLite and PostgreSQL.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
SCHEMA_VERSION = "0002"  # of the last migration; numbered, so that versions can be compared


class SchemaState(StrEnum):
    """The schema of a database compared with the one that this version needs."""

    CURRENT = "ok"
    OUTDATED = "outdated"  # or not made yet
    NEWER = "newer"


def schema_state(version: str | None) -> SchemaState:
    """The state of a schema with this version; None: there is no schema yet."""
    if version == SCHEMA_VERSION:
        return SchemaState.CURRENT
    return SchemaState.NEWER if version is not None and version > SCHEMA_VERSION else SchemaState.OUTDATED


LONGEST_NAME = 200  # characters
_UUID = String(36)
_NAME = String(LONGEST_NAME)


def _card_columns() -> list[Column[Any]]:
    """What is stored of every card that was due."""
    return [
        Column("card_uuid", _UUID, primary_key=True),
        Column("card_key", _NAME, nullable=False),
        Column("service", _NAME, nullable=False),
        Column("hook", _NAME, nullable=False),
        Column("hook_instance", _UUID, nullable=False),
        Column("client", _NAME, nullable=False),
        Column("tenant", _NAME, nullable=False, server_default=""),
        Column("indicator", String(20), nullable=False),
        Column("content_version", String(40), nullable=False),
    ]


# Token ids seen, each until it has expired. The digest is over issuer and jti.
SEEN_TOKEN = Table(
    "seen_token",
    METADATA,
    Column("token_digest", LargeBinary(32), primary_key=True),
    Column("keep_until_s", BigInteger, nullable=False, index=True),
)

# Every card that was answered. A call that is tried again gives the same ids, and one row.
ISSUED_CARD = Table(
    "issued_card",
    METADATA,
    *_card_columns(),
    Column("issued_at_ms", BigInteger, nullable=False, index=True),
)

# The suggestions of each of those cards.
ISSUED_SUGGESTION = Table(
    "issued_suggestion",
    METADATA,
    Column("suggestion_uuid", _UUID, primary_key=True),
    Column("card_uuid", _UUID, ForeignKey("issued_card.card_uuid", ondelete="CASCADE"), nullable=False, index=True),
    Column("suggestion_key", _NAME, nullable=False),
)

# Cards that were due and not shown. `cause`: quiet-period or max-cards (limits of the client, opt-in), switched-off (by
# the site), or silent-client: it would have been shown, had the client not been silent (ADR 23).
SILENCED_CARD = Table(
    "silenced_card",
    METADATA,
    *_card_columns(),
    Column("cause", String(20), nullable=False),
    Column("silenced_at_ms", BigInteger, nullable=False, index=True),
)

# Feedback on a card: rows are added, never changed. The digest is over client, card, outcome, timestamp and
# suggestions, so that a repeated entry is stored once. `foreign_*`: not what that card offered to that client.
FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("feedback_digest", LargeBinary(32), primary_key=True),
    Column("card_uuid", _UUID, nullable=False, index=True),
    Column("service", _NAME, nullable=False),
    Column("client", _NAME, nullable=False),
    Column("tenant", _NAME, nullable=False, server_default=""),
    Column("outcome", String(20), nullable=False),
    Column("outcome_at_ms", BigInteger, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False, index=True),
    Column("reason_system", _NAME),
    Column("reason_code", _NAME),
    Column("foreign_card", Boolean, nullable=False),
    Column("foreign_reason", Boolean, nullable=False),
    Column("user_comment", Text),
)

# The suggestions that were accepted.
ACCEPTED_SUGGESTION = Table(
    "accepted_suggestion",
    METADATA,
    Column(
        "feedback_digest",
        LargeBinary(32),
        ForeignKey("feedback.feedback_digest", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("suggestion_uuid", _UUID, primary_key=True),
    Column("foreign_suggestion", Boolean, nullable=False),
)

# Only for clients with a quiet period: the patient of a card as a keyed hash (ADR 10), so that an override can start
# the period. Kept for as long as the period may last.
CARD_PATIENT = Table(
    "card_patient",
    METADATA,
    Column("card_uuid", _UUID, primary_key=True),
    Column("patient_hash", LargeBinary(32), nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False, index=True),
)

# Only for clients with a quiet period: for this patient (keyed hash, the client in it), this card was overridden with
# a reason that is final. `card_key`: its key and indicator, such as `what-to-expect/info`: a card that has become a
# warning since is not silenced.
QUIET_CARD = Table(
    "quiet_card",
    METADATA,
    Column("patient_hash", LargeBinary(32), primary_key=True),
    Column("card_key", _NAME, primary_key=True),
    Column("since_ms", BigInteger, nullable=False, index=True),
)

# How many calls there were, with cards or without: the denominator of the firing rate. Counted in memory by each
# process and added here from time to time; a crash loses counts, never a card. `mode`: of the client, visible or
# silent. `outcome`: cards, silent (none was due), quiet (cards were due, all silenced); of a silent client, what it
# would have been.
SERVICE_CALL_COUNT = Table(
    "service_call_count",
    METADATA,
    Column("day", String(10), primary_key=True),  # YYYY-MM-DD, UTC
    Column("client", _NAME, primary_key=True),
    Column("tenant", _NAME, primary_key=True, server_default=""),
    Column("service", _NAME, primary_key=True),
    Column("hook", _NAME, primary_key=True),
    Column("mode", String(20), primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

# The same counts before services and modes were counted separately: read by the report, and still written by
# nodes of schema 0001 during an upgrade (ADR 23).
CALL_COUNT = Table(
    "call_count",
    METADATA,
    Column("day", String(10), primary_key=True),
    Column("client", _NAME, primary_key=True),
    Column("tenant", _NAME, primary_key=True, server_default=""),
    Column("hook", _NAME, primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)


def as_name(text: str) -> str:
    """A text from outside, such as the tenant of a token, as a name column of either database can hold it."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")[:LONGEST_NAME]
