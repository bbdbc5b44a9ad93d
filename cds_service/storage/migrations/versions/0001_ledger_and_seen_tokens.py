"""Ledger of issued cards and feedback, quiet periods, and token ids seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "call_count",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=200), server_default="", nullable=False),
        sa.Column("hook", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "client", "tenant", "hook", "outcome", name=op.f("pk_call_count")),
    )
    op.create_table(
        "card_patient",
        sa.Column("card_uuid", sa.String(length=36), nullable=False),
        sa.Column("patient_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("card_uuid", name=op.f("pk_card_patient")),
    )
    op.create_index(op.f("ix_card_patient_issued_at_ms"), "card_patient", ["issued_at_ms"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("feedback_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("card_uuid", sa.String(length=36), nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=200), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("outcome_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason_system", sa.String(length=200), nullable=True),
        sa.Column("reason_code", sa.String(length=200), nullable=True),
        sa.Column("foreign_card", sa.Boolean(), nullable=False),
        sa.Column("foreign_reason", sa.Boolean(), nullable=False),
        sa.Column("user_comment", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("feedback_digest", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_card_uuid"), "feedback", ["card_uuid"], unique=False)
    op.create_index(op.f("ix_feedback_received_at_ms"), "feedback", ["received_at_ms"], unique=False)
    op.create_table(
        "issued_card",
        sa.Column("card_uuid", sa.String(length=36), nullable=False),
        sa.Column("card_key", sa.String(length=200), nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("hook", sa.String(length=200), nullable=False),
        sa.Column("hook_instance", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=200), server_default="", nullable=False),
        sa.Column("indicator", sa.String(length=20), nullable=False),
        sa.Column("content_version", sa.String(length=40), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("card_uuid", name=op.f("pk_issued_card")),
    )
    op.create_index(op.f("ix_issued_card_issued_at_ms"), "issued_card", ["issued_at_ms"], unique=False)
    op.create_table(
        "quiet_card",
        sa.Column("patient_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("card_key", sa.String(length=200), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("patient_hash", "card_key", name=op.f("pk_quiet_card")),
    )
    op.create_index(op.f("ix_quiet_card_since_ms"), "quiet_card", ["since_ms"], unique=False)
    op.create_table(
        "seen_token",
        sa.Column("token_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("keep_until_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_seen_token")),
    )
    op.create_index(op.f("ix_seen_token_keep_until_s"), "seen_token", ["keep_until_s"], unique=False)
    op.create_table(
        "silenced_card",
        sa.Column("card_uuid", sa.String(length=36), nullable=False),
        sa.Column("card_key", sa.String(length=200), nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("hook", sa.String(length=200), nullable=False),
        sa.Column("hook_instance", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=200), server_default="", nullable=False),
        sa.Column("indicator", sa.String(length=20), nullable=False),
        sa.Column("content_version", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("silenced_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("card_uuid", name=op.f("pk_silenced_card")),
    )
    op.create_index(op.f("ix_silenced_card_silenced_at_ms"), "silenced_card", ["silenced_at_ms"], unique=False)
    op.create_table(
        "accepted_suggestion",
        sa.Column("feedback_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("suggestion_uuid", sa.String(length=36), nullable=False),
        sa.Column("foreign_suggestion", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feedback_digest"],
            ["feedback.feedback_digest"],
            name=op.f("fk_accepted_suggestion_feedback_digest"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("feedback_digest", "suggestion_uuid", name=op.f("pk_accepted_suggestion")),
    )
    op.create_table(
        "issued_suggestion",
        sa.Column("suggestion_uuid", sa.String(length=36), nullable=False),
        sa.Column("card_uuid", sa.String(length=36), nullable=False),
        sa.Column("suggestion_key", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["card_uuid"], ["issued_card.card_uuid"], name=op.f("fk_issued_suggestion_card_uuid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("suggestion_uuid", name=op.f("pk_issued_suggestion")),
    )
    op.create_index(op.f("ix_issued_suggestion_card_uuid"), "issued_suggestion", ["card_uuid"], unique=False)
