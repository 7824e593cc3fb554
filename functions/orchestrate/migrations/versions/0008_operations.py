"""Bulk operations, and the type of the error that an execution faulted with."""

from alembic import op

revision = "0008"
down_revision = "0007"

_HOSTS = "serverlessworkflow\\.io|open-workflow-specification\\.org"
_NAMES = "configuration|validation|expression|authentication|authorization|timeout|communication|runtime"


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN error_type TEXT")
    # As text: jsonb would refuse what users may have written into a detail.
    op.execute(f"""
    UPDATE executions SET error_type = left(regexp_replace(
        convert_from(error, 'UTF8')::json ->> 'type', '^[a-z]+://({_HOSTS})/.*/({_NAMES})/*$', '\\2'), 200)
    WHERE error IS NOT NULL""")
    op.execute("""
    CREATE INDEX executions_by_error ON executions (namespace, error_type, id) WHERE error_type IS NOT NULL""")
    op.execute("""
    CREATE TABLE operations (
        id UUID NOT NULL,
        namespace TEXT NOT NULL,
        action TEXT NOT NULL,
        filter BYTEA NOT NULL,
        options BYTEA NOT NULL,
        rate DOUBLE PRECISION NOT NULL,
        phase TEXT NOT NULL,
        matched BIGINT NOT NULL,
        done BIGINT DEFAULT 0 NOT NULL,
        skipped BIGINT DEFAULT 0 NOT NULL,
        failed BIGINT DEFAULT 0 NOT NULL,
        cursor TEXT NOT NULL,
        bound TEXT NOT NULL,
        problems BYTEA NOT NULL,
        dedupe TEXT,
        body_digest TEXT,
        created_at timestamptz NOT NULL,
        ended_at timestamptz,
        due timestamptz NOT NULL,
        claimed_until timestamptz,
        PRIMARY KEY (id)
    )""")
    op.execute("CREATE INDEX operations_by_age ON operations (namespace, id)")
    op.execute("CREATE INDEX operations_by_due ON operations (due) WHERE ended_at IS NULL")
    op.execute("CREATE UNIQUE INDEX operations_once ON operations (namespace, dedupe) WHERE dedupe IS NOT NULL")
