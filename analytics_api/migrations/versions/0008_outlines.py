"""What the versions of workflows are made of."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE outlines (
          namespace text NOT NULL,
          workflow text NOT NULL,
          version text NOT NULL,
          deployed_at timestamptz NOT NULL,
          outline jsonb NOT NULL,
          PRIMARY KEY (namespace, workflow, version, deployed_at)
        )""")
