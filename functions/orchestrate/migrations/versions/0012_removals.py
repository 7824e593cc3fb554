"""Executions that are deleted: by operators, and when they were kept long enough."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("""
    CREATE TABLE removals (
        execution UUID NOT NULL,
        namespace TEXT NOT NULL,
        workflow TEXT NOT NULL,
        dedupe TEXT,
        due timestamptz NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        fenced_at timestamptz,
        PRIMARY KEY (execution)
    )""")
    op.execute("CREATE INDEX removals_by_due ON removals (due)")
    op.execute("CREATE INDEX removals_by_key ON removals (namespace, workflow, dedupe) WHERE dedupe IS NOT NULL")
    op.execute("ALTER TABLE workflow_versions ADD COLUMN retain INTERVAL")
    op.execute("CREATE INDEX executions_ended ON executions (workflow_version, ended_at) WHERE ended_at IS NOT NULL")
