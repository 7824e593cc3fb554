"""Executions that follow from a lifecycle event."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN echo BOOLEAN DEFAULT false NOT NULL")
