"""Executions in the order of their duration and cost, log lines of a whole namespace in the order of time."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX executions_by_duration ON executions (namespace, duration_ms DESC, execution DESC) "
        "WHERE duration_ms IS NOT NULL"
    )
    op.execute("CREATE INDEX executions_by_cost ON executions (namespace, gb_seconds DESC, execution DESC)")
    op.execute("CREATE INDEX logs_by_time ON logs (namespace, at DESC, execution DESC, id DESC)")
