"""Counts of calls by service and mode of the client, in a table of their own: nodes of 0001 keep using theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table. The rows of `call_count` stay there: their services are not known."""
    op.create_table(
        "service_call_count",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=200), server_default="", nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("hook", sa.String(length=200), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("day", "client", "tenant", "service", "hook", "mode", "outcome"), name=op.f("pk_service_call_count")
        ),
    )


def downgrade() -> None:
    """Add the counts to those of 0001, and drop the table.

    A silent client's calls with cards become `quiet`, which means there that cards were due and none was shown.
    """
    op.execute(
        """
        INSERT INTO call_count (day, client, tenant, hook, outcome, calls)
        SELECT day, client, tenant, hook, told, SUM(calls)
        FROM (
            SELECT day, client, tenant, hook, calls,
                CASE WHEN mode = 'silent' AND outcome = 'cards' THEN 'quiet' ELSE outcome END AS told
            FROM service_call_count
        ) AS counted
        WHERE true
        GROUP BY day, client, tenant, hook, told
        ON CONFLICT (day, client, tenant, hook, outcome) DO UPDATE SET calls = call_count.calls + excluded.calls
        """
    )
    op.drop_table("service_call_count")
