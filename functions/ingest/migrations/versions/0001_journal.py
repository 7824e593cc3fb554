"""Leases, owners, the journal, signals, payloads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NOW = sa.text("now()")


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=_NOW)


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("execution", sa.Uuid, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        _moment("opened_at"),
        sa.Column("closed_type", sa.Text),
        sa.Column("closed_body", sa.LargeBinary),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "owners",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream", sa.Text),
    )
    op.create_table(
        "journal",
        sa.Column("execution", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _moment("at"),
    )
    op.create_table(
        "signals",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("execution", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _moment("at"),
    )
    op.create_index("signals_by_owner", "signals", ["owner", "id"])
    op.create_table(
        "payloads",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("execution", sa.Uuid, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        _moment("at"),
    )
    op.create_table(
        "payload_chunks",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("execution", sa.Uuid, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("payload_chunks", "payloads", "signals", "journal", "owners", "leases"):
        op.drop_table(table)
