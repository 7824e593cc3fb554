"""Views for analysts, each of one namespace: that of the pass which the session shows.

The key that passes are signed with is in a schema of its own, which nobody may use but the owner and whom they let.
"""

from secrets import token_bytes

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# HMAC (RFC 2104) from the one hash that PostgreSQL has without an extension. A pass is worth something in the one
# session that it names, until it expires.
_NAMESPACE = """
CREATE FUNCTION analysts.namespace() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  parts text[] := string_to_array(current_setting('lowtide.pass', true), '.');
  genuine boolean;
BEGIN
  -- Both are hashed once more before they are compared: how long that takes tells nothing of the right one.
  SELECT sha256(outer_pad || convert_to(parts[4], 'UTF8')) = sha256(outer_pad || convert_to(encode(
           sha256(outer_pad || sha256(inner_pad || convert_to(array_to_string(parts[1:3], '.'), 'UTF8'))),
         'hex'), 'UTF8'))
    INTO STRICT genuine FROM analysts_private.key;
  IF genuine AND cardinality(parts) = 4 AND parts[2] = pg_backend_pid()::text
     AND parts[3]::bigint > extract(epoch FROM clock_timestamp())
  THEN
    RETURN convert_from(decode(parts[1], 'hex'), 'UTF8');
  END IF;
  RAISE insufficient_privilege USING MESSAGE = 'this session has no pass to a namespace';
END $$
"""

_FITS = """
CREATE FUNCTION analysts.fits(width integer) RETURNS boolean LANGUAGE plpgsql COST 100000 AS $$
BEGIN
  IF width > 262144 THEN
    RAISE program_limit_exceeded USING MESSAGE = 'a row of the answer has more than 256 KiB',
      HINT = 'Choose fewer columns, or the beginning of long texts: left(message, 1000).';
  END IF;
  RETURN true;
END $$
"""

# The smallest value with at least this share of all values at or below it, as lowtide.model.sketch has it.
_QUANTILE = """
CREATE FUNCTION analysts.quantile(sketch jsonb, share float8) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN bin = 0 THEN 0::float8
              ELSE sign(bin) * exp(least(ln(1e-9::float8) + abs(bin) * ln(1.01::float8 / 0.99)
                                         + ln(2 / (1 + 1.01::float8 / 0.99)), 709.78)) END
    FROM (SELECT key::int AS bin, sum(value::bigint) OVER (ORDER BY key::int) AS seen,
                 sum(value::bigint) OVER () AS total
            FROM jsonb_each_text(sketch)) AS bins
   WHERE seen >= greatest(1, ceil(share * total)) ORDER BY bin LIMIT 1
$$
"""

_MERGED = """
CREATE AGGREGATE analysts.merged(jsonb) (SFUNC = merged_sketch, STYPE = jsonb, INITCOND = '{}', PARALLEL = SAFE)
"""

_PERCENTILES = ", ".join(
    f"analysts.quantile(sketch, {share}) AS {name}" for name, share in {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items()
)
_ROLLUP = f"workflow, version, task, measure, at, count, total, smallest, largest, {_PERCENTILES}, sketch"
_SUMS = "active_ms, cpu_ms, gb_seconds, queueing_ms, cold_starts, cold_start_ms, effects, bytes_in, bytes_out"

# View -> columns, table, and which of its rows.
_VIEWS = {
    "executions": (
        "execution, workflow, version, phase, epoch, parent, created_at, started_at, ended_at, duration_ms, "
        f"error_type, error, reason, tags, correlation, invocations, {_SUMS}",
        "executions",
        "version_number > 0",
    ),
    "errors": (
        "execution, workflow, version, created_at, ended_at, error_type AS type, error ->> 'title' AS title, "
        "error ->> 'detail' AS detail, error ->> 'status' AS status, error ->> 'instance' AS instance",
        "executions",
        "phase = 'faulted' AND error_type IS NOT NULL",
    ),
    "tasks": (
        "execution, number, workflow, version, task, name, reference, kind, status, attempt, at AS ended_at, "
        "duration_ms, error, effect, active_ms, bytes_in, bytes_out",
        "task_facts",
        "status IN ('completed', 'faulted', 'retried', 'skipped', 'cancelled')",
    ),
    "invocations": (
        "execution, epoch, workflow, version, at AS ended_at, active_ms, cpu_ms, memory_bytes, "
        "memory_bytes / 1073741824.0::float8 * active_ms / 1000 AS gb_seconds, queueing_ms, cold_start, cold_start_ms, "
        "turns, effects, effect_kinds, records, bytes_in, bytes_out",
        "usage",
        "true",
    ),
    "logs": ("execution, workflow, version, at, level, message, task, fields", "logs", "true"),
    "minutes": (_ROLLUP, "rollups_minute", "true"),
    "hours": (_ROLLUP, "rollups_hour", "true"),
}


def upgrade() -> None:
    op.execute("CREATE SCHEMA analysts_private")
    op.execute("CREATE TABLE analysts_private.key (inner_pad bytea NOT NULL, outer_pad bytea NOT NULL)")
    secret = token_bytes(32).ljust(64, b"\0")
    op.get_bind().execute(
        sa.text("INSERT INTO analysts_private.key VALUES (:inner_pad, :outer_pad)"),
        {"inner_pad": bytes(byte ^ 0x36 for byte in secret), "outer_pad": bytes(byte ^ 0x5C for byte in secret)},
    )
    op.execute("CREATE SCHEMA analysts")
    for function in (_NAMESPACE, _FITS, _QUANTILE, _MERGED):
        op.execute(function)
    for name, (columns, table, rows) in _VIEWS.items():
        op.execute(
            f"CREATE VIEW analysts.{name} WITH (security_barrier) AS SELECT {columns} FROM {table} "
            f"WHERE namespace = (SELECT analysts.namespace()) AND {rows}"
        )
    op.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA analysts FROM PUBLIC")
