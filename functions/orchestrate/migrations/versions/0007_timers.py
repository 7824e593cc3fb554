"""Timers that nobody holds, and those that somebody does: each is found without looking at the others."""

from alembic import op

revision = "0007"
down_revision = "0006"

_CHANGES = """
DROP INDEX timers_by_due;
CREATE INDEX timers_free ON timers (due) WHERE claimed_until IS NULL;
CREATE INDEX timers_held ON timers (claimed_until) WHERE claimed_until IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(_CHANGES)
