"""The control store: workflows, executions, dispatches, inbox, timers, events, outbox."""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE dead_letters (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    execution UUID,
    epoch BIGINT,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    code TEXT,
    detail TEXT,
    verdict TEXT NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX dead_letters_by_execution ON dead_letters (execution);

CREATE TABLE kept_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    fingerprint TEXT NOT NULL,
    namespace TEXT,
    type TEXT NOT NULL,
    body BYTEA NOT NULL,
    execution UUID,
    received_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    matched_at timestamptz,
    PRIMARY KEY (id),
    UNIQUE (fingerprint)
);
CREATE INDEX kept_events_by_execution ON kept_events (execution) WHERE execution IS NOT NULL;
CREATE INDEX kept_events_by_expiry ON kept_events (expires_at);
CREATE INDEX kept_events_by_type ON kept_events (type, received_at);
CREATE INDEX kept_events_unmatched ON kept_events (id) WHERE matched_at IS NULL;

CREATE TABLE namespaces (
    name TEXT NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    execution UUID NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    body BYTEA,
    not_before timestamptz DEFAULT clock_timestamp() NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX outbox_by_execution ON outbox (execution);
CREATE INDEX outbox_due ON outbox (kind, not_before);

CREATE TABLE workflow_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    definition BYTEA NOT NULL,
    plan BYTEA NOT NULL,
    warnings BYTEA NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX workflow_versions_by_name ON workflow_versions (namespace, name, version) WHERE deleted_at IS NULL;
CREATE INDEX workflow_versions_newest ON workflow_versions (namespace, name, id);

CREATE TABLE deliveries (
    subscriber TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (subscriber, fingerprint),
    FOREIGN KEY(fingerprint) REFERENCES kept_events (fingerprint) ON DELETE CASCADE
);
CREATE INDEX ix_deliveries_fingerprint ON deliveries (fingerprint);

CREATE TABLE executions (
    id UUID NOT NULL,
    namespace TEXT NOT NULL,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    workflow_version BIGINT NOT NULL,
    phase TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    change BIGINT NOT NULL,
    seed BYTEA NOT NULL,
    state BYTEA,
    upto BIGINT DEFAULT 0 NOT NULL,
    waiting BYTEA,
    output BYTEA,
    error BYTEA,
    reason TEXT,
    parent UUID,
    parent_command TEXT,
    dedupe TEXT,
    body_digest TEXT,
    traceparent TEXT,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (id),
    FOREIGN KEY(workflow_version) REFERENCES workflow_versions (id)
);
CREATE INDEX executions_alive ON executions (workflow_version) WHERE ended_at IS NULL;
CREATE INDEX executions_by_age ON executions (namespace, id);
CREATE INDEX executions_by_parent ON executions (parent) WHERE parent IS NOT NULL;
CREATE INDEX executions_by_phase ON executions (namespace, phase, id);
CREATE INDEX executions_by_workflow ON executions (namespace, workflow, id);
CREATE UNIQUE INDEX executions_once ON executions (namespace, workflow, dedupe) WHERE dedupe IS NOT NULL;

CREATE TABLE gathered (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workflow_version BIGINT NOT NULL,
    filter_index INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(workflow_version) REFERENCES workflow_versions (id) ON DELETE CASCADE
);
CREATE INDEX gathered_by_group ON gathered (workflow_version, correlation, filter_index);

CREATE TABLE interests (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workflow_version BIGINT NOT NULL,
    namespace TEXT NOT NULL,
    type TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(workflow_version) REFERENCES workflow_versions (id) ON DELETE CASCADE
);
CREATE INDEX interests_by_type ON interests (type, namespace);
CREATE INDEX interests_by_version ON interests (workflow_version);

CREATE TABLE schedules (
    workflow_version BIGINT NOT NULL,
    due timestamptz,
    claimed_until timestamptz,
    running UUID,
    pause INTERVAL,
    PRIMARY KEY (workflow_version),
    FOREIGN KEY(workflow_version) REFERENCES workflow_versions (id) ON DELETE CASCADE
);
CREATE INDEX schedules_by_due ON schedules (due);
CREATE INDEX schedules_by_running ON schedules (running) WHERE running IS NOT NULL;

CREATE TABLE workflows (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (namespace, name),
    FOREIGN KEY(namespace) REFERENCES namespaces (name)
);

CREATE TABLE dispatches (
    execution UUID NOT NULL,
    epoch BIGINT NOT NULL,
    body BYTEA NOT NULL,
    digest TEXT NOT NULL,
    issued_at timestamptz NOT NULL,
    sent_at timestamptz,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_try timestamptz,
    PRIMARY KEY (execution, epoch),
    FOREIGN KEY(execution) REFERENCES executions (id) ON DELETE CASCADE
);
CREATE INDEX dispatches_outstanding ON dispatches (next_try) WHERE sent_at IS NOT NULL;

CREATE TABLE inbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    execution UUID NOT NULL,
    key TEXT NOT NULL,
    event BYTEA NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT inbox_once UNIQUE (execution, key),
    FOREIGN KEY(execution) REFERENCES executions (id) ON DELETE CASCADE
);

CREATE TABLE subscriptions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    namespace TEXT NOT NULL,
    execution UUID,
    command TEXT,
    workflow_version BIGINT,
    filter_index INTEGER NOT NULL,
    type TEXT,
    filter BYTEA NOT NULL,
    need TEXT NOT NULL,
    since timestamptz NOT NULL,
    caught_up BOOLEAN DEFAULT false NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(execution) REFERENCES executions (id) ON DELETE CASCADE,
    FOREIGN KEY(workflow_version) REFERENCES workflow_versions (id) ON DELETE CASCADE
);
CREATE INDEX subscriptions_behind ON subscriptions (since) WHERE NOT caught_up;
CREATE INDEX subscriptions_by_execution ON subscriptions (execution, command);
CREATE INDEX subscriptions_by_type ON subscriptions (type, namespace);
CREATE INDEX subscriptions_by_version ON subscriptions (workflow_version);

CREATE TABLE timers (
    execution UUID NOT NULL,
    key TEXT NOT NULL,
    command TEXT NOT NULL,
    due timestamptz NOT NULL,
    claimed_until timestamptz,
    PRIMARY KEY (execution, key),
    FOREIGN KEY(execution) REFERENCES executions (id) ON DELETE CASCADE
);
CREATE INDEX timers_by_due ON timers (due);
"""


def upgrade() -> None:
    op.execute(_TABLES)


def downgrade() -> None:
    raise RuntimeError("the first version cannot be undone; drop the database")
