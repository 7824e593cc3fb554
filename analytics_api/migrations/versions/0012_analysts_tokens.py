"""Tokens in the views for analysts."""

from alembic import op

revision = "0012"
down_revision = "0011"

_TOKENS = "input_tokens, output_tokens"
_SUMS = "active_ms, cpu_ms, gb_seconds, queueing_ms, cold_starts, cold_start_ms, effects, bytes_in, bytes_out"

# View -> columns, of which new ones can only be the last, table, and which of its rows.
_VIEWS = {
    "executions": (
        "execution, workflow, version, phase, epoch, parent, created_at, started_at, ended_at, duration_ms, "
        f"error_type, error, reason, tags, correlation, invocations, {_SUMS}, {_TOKENS}",
        "executions",
        "version_number > 0",
    ),
    "tasks": (
        "execution, number, workflow, version, task, name, reference, kind, status, attempt, at AS ended_at, "
        f"duration_ms, error, effect, active_ms, bytes_in, bytes_out, {_TOKENS}",
        "task_facts",
        "status IN ('completed', 'faulted', 'retried', 'skipped', 'cancelled')",
    ),
    "invocations": (
        "execution, epoch, workflow, version, at AS ended_at, active_ms, cpu_ms, memory_bytes, "
        "memory_bytes / 1073741824.0::float8 * active_ms / 1000 AS gb_seconds, queueing_ms, cold_start, cold_start_ms, "
        f"turns, effects, effect_kinds, records, bytes_in, bytes_out, {_TOKENS}",
        "usage",
        "true",
    ),
}


def upgrade() -> None:
    for name, (columns, table, rows) in _VIEWS.items():
        op.execute(
            f"CREATE OR REPLACE VIEW analysts.{name} WITH (security_barrier) AS SELECT {columns} FROM {table} "
            f"WHERE namespace = (SELECT analysts.namespace()) AND {rows}"
        )
