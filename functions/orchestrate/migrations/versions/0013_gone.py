"""Dispatches that were issued again because the process that performed them was gone."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE dispatches ADD COLUMN gone TEXT")
