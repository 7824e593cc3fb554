"""How old rows are, for windows of time and for retention: a few kilobytes per day."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("task_facts", "logs", "usage"):
        op.execute(f"CREATE INDEX {table}_by_age ON {table} USING brin (at)")
