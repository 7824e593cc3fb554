"""Limits of workflows, pauses, and namespaces that take turns."""

from alembic import op

revision = "0006"
down_revision = "0005"

_CHANGES = """
ALTER TABLE executions ADD COLUMN lane TEXT;

ALTER TABLE dispatches
    ADD COLUMN lane TEXT COLLATE "C",
    ADD COLUMN debounce TEXT,
    ADD COLUMN rank INTEGER,
    ADD COLUMN queued_at timestamptz,
    ADD COLUMN look_at timestamptz;
CREATE INDEX dispatches_queued ON dispatches (lane, rank, queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX dispatches_admitted ON dispatches (lane) WHERE lane IS NOT NULL AND queued_at IS NULL;
CREATE INDEX dispatches_to_look_at ON dispatches (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX dispatches_debounced ON dispatches (debounce) WHERE debounce IS NOT NULL AND queued_at IS NOT NULL;

CREATE TABLE gates (
    namespace TEXT NOT NULL,
    workflow TEXT NOT NULL,
    paused_at timestamptz,
    reason TEXT,
    ramp DOUBLE PRECISION,
    limits BYTEA,
    PRIMARY KEY (namespace, workflow)
);

CREATE TABLE rates (
    bucket TEXT NOT NULL,
    moments BYTEA NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (bucket)
);
CREATE INDEX rates_by_end ON rates (until);

ALTER TABLE outbox ADD COLUMN namespace TEXT DEFAULT '' NOT NULL;
UPDATE outbox SET namespace = executions.namespace FROM executions
 WHERE outbox.kind = 'dispatch' AND executions.id = outbox.execution;
CREATE INDEX outbox_by_namespace ON outbox (namespace, not_before) WHERE kind = 'dispatch';
"""


def upgrade() -> None:
    op.execute(_CHANGES)
