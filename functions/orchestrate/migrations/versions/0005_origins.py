"""Executions that repeat another one."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for column in ("origin UUID", "origin_kind TEXT", "origin_task TEXT"):
        op.execute(f"ALTER TABLE executions ADD COLUMN {column}")
    op.execute("CREATE INDEX executions_by_origin ON executions (origin) WHERE origin IS NOT NULL")
