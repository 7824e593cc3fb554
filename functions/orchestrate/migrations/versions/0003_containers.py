"""Containers that executions run."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
    CREATE TABLE containers (
        id TEXT NOT NULL,
        execution UUID NOT NULL,
        command TEXT NOT NULL,
        phase TEXT NOT NULL,
        awaited BOOLEAN NOT NULL,
        ordered BYTEA NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        due timestamptz NOT NULL,
        PRIMARY KEY (id)
    )""")
    op.execute("CREATE INDEX containers_by_due ON containers (due)")
    op.execute("CREATE INDEX containers_by_execution ON containers (execution)")


def downgrade() -> None:
    op.execute("DROP TABLE containers")
