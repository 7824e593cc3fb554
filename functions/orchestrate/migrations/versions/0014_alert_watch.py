"""How often analytics wants to be asked to look at alert rules; the first time it is asked unasked is in an hour."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE alert_watch (
          one BOOLEAN PRIMARY KEY DEFAULT true,
          revision BIGINT NOT NULL DEFAULT 0,
          every BIGINT,
          ask_at TIMESTAMPTZ NOT NULL)""")
    op.execute("INSERT INTO alert_watch (ask_at) VALUES (clock_timestamp() + interval '1 hour')")
