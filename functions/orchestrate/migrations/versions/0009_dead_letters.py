"""Dead letters that operators redrive and discard."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for column in ("namespace TEXT", "event BYTEA", "redrives INTEGER DEFAULT 0 NOT NULL", "settled_at timestamptz"):
        op.execute(f"ALTER TABLE dead_letters ADD COLUMN {column}")
    op.execute("""
    UPDATE dead_letters SET namespace = (SELECT namespace FROM executions WHERE executions.id = dead_letters.execution),
           settled_at = CASE WHEN verdict IN ('suspended', 'diverged') THEN NULL ELSE at END""")
    op.execute("CREATE INDEX dead_letters_by_namespace ON dead_letters (namespace, id)")
    op.execute("CREATE INDEX dead_letters_settled ON dead_letters (settled_at) WHERE settled_at IS NOT NULL")
