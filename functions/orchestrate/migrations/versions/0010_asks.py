"""Callbacks and human tasks."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("""
    CREATE TABLE asks (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        execution UUID NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        workflow TEXT NOT NULL,
        workflow_version BIGINT NOT NULL,
        status TEXT NOT NULL,
        commands TEXT[] NOT NULL,
        asked BYTEA,
        title TEXT,
        assignee TEXT,
        claimed_by TEXT,
        claimed_at timestamptz,
        due timestamptz,
        answer BYTEA,
        answered_by TEXT,
        digest TEXT,
        idempotency_key TEXT,
        created_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (id)
    )""")
    op.execute("CREATE UNIQUE INDEX asks_once ON asks (execution, key)")
    op.execute("CREATE INDEX asks_by_age ON asks (namespace, status, id) WHERE kind = 'task'")
    op.execute("CREATE INDEX asks_by_assignee ON asks (namespace, assignee, status, id) WHERE kind = 'task'")
