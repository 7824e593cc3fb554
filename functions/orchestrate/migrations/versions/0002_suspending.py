"""Executions that an operator wants suspended while an invocation of theirs runs."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN suspend_asked TEXT")
