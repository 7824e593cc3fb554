"""Partitions by day, what executions cost, full-text search, and rollups per minute and hour."""

from alembic import op

revision = "0003"
down_revision = "0002"

_BY_DAY = {
    "executions": "execution",
    "task_facts": "execution",
    "logs": "execution",
    "usage": "execution",
    "metric_samples": "at",
}


def upgrade() -> None:
    _functions()
    for table, column in _BY_DAY.items():
        _partition(table, column)
    _executions()
    _rest()
    _rollups()


def _functions() -> None:
    op.execute("""
        CREATE FUNCTION merged_sketch(one jsonb, other jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
          SELECT CASE WHEN other = '{}' THEN one WHEN one = '{}' THEN other ELSE (
            SELECT jsonb_object_agg(bin, total) FROM (
              SELECT bin, sum(n::bigint) AS total
                FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other))
                     AS both_ (bin, n)
               GROUP BY bin) AS summed) END
        $$""")
    op.execute(
        "CREATE AGGREGATE sketch_sum(jsonb) (SFUNC = merged_sketch, STYPE = jsonb, INITCOND = '{}', PARALLEL = SAFE)"
    )


def _partition(table: str, column: str) -> None:
    """The table with its rows becomes the default partition of a new one, which takes over its name and its indexes."""
    connection = op.get_bind()
    created = connection.exec_driver_sql(
        "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND schemaname = current_schema() "
        "AND indexname <> %s ORDER BY indexname",
        (table, f"{table}_pkey"),
    )
    indexes = [str(definition) for (definition,) in created]
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(
        f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS INCLUDING GENERATED) "
        f"PARTITION BY RANGE ({column})"
    )
    keys = connection.exec_driver_sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass",
        (f"{table}_before",),
    )
    key = keys.scalar_one()
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
    op.execute(f"DROP TABLE {table}_before")
    op.execute(f"ALTER TABLE {table} ADD {key}")
    for definition in indexes:
        op.execute(definition)


def _executions() -> None:
    op.execute("""
        ALTER TABLE executions
          ADD correlation jsonb NOT NULL DEFAULT '{}',
          ADD invocations bigint NOT NULL DEFAULT 0,
          ADD cold_starts bigint NOT NULL DEFAULT 0,
          ADD active_ms float8 NOT NULL DEFAULT 0,
          ADD cpu_ms float8 NOT NULL DEFAULT 0,
          ADD gb_seconds float8 NOT NULL DEFAULT 0,
          ADD queueing_ms float8 NOT NULL DEFAULT 0,
          ADD cold_start_ms float8 NOT NULL DEFAULT 0,
          ADD effects bigint NOT NULL DEFAULT 0,
          ADD bytes_in bigint NOT NULL DEFAULT 0,
          ADD bytes_out bigint NOT NULL DEFAULT 0,
          ADD known_version bigint NOT NULL DEFAULT 0,
          ADD known_end timestamptz,
          ADD duration_ms float8 GENERATED ALWAYS AS (extract(epoch from ended_at - created_at) * 1000) STORED,
          ADD error_type text GENERATED ALWAYS AS (error ->> 'type') STORED,
          ADD search tsvector GENERATED ALWAYS AS (
            to_tsvector('simple', workflow || ' ' || coalesce(reason, ''))
            || jsonb_to_tsvector('simple', coalesce(error, '{}'), '["string"]')
            || jsonb_to_tsvector('simple', tags, '"all"')
            || jsonb_to_tsvector('simple', correlation, '"all"')) STORED""")
    op.execute("""
        UPDATE executions
           SET invocations = spent.invocations, cold_starts = spent.cold_starts, active_ms = spent.active_ms,
               cpu_ms = spent.cpu_ms, gb_seconds = spent.gb_seconds, queueing_ms = spent.queueing_ms,
               cold_start_ms = spent.cold_start_ms, effects = spent.effects
          FROM (SELECT execution, count(*) AS invocations, count(*) FILTER (WHERE cold_start) AS cold_starts,
                       sum(active_ms) AS active_ms, sum(cpu_ms) AS cpu_ms, sum(queueing_ms) AS queueing_ms,
                       sum(memory_bytes / 1073741824.0 * active_ms / 1000) AS gb_seconds,
                       sum(cold_start_ms) FILTER (WHERE cold_start) AS cold_start_ms, sum(effects) AS effects
                  FROM usage GROUP BY execution) AS spent
         WHERE executions.execution = spent.execution""")
    op.execute(
        "CREATE INDEX executions_by_error ON executions (namespace, error_type, created_at DESC) "
        "WHERE error_type IS NOT NULL"
    )
    op.execute("CREATE INDEX executions_by_tag ON executions USING gin (tags jsonb_path_ops)")
    op.execute(
        "CREATE INDEX executions_by_correlation ON executions USING gin (correlation jsonb_path_ops) "
        "WHERE correlation <> '{}'"
    )
    op.execute("CREATE INDEX executions_by_word ON executions USING gin (search)")


def _rest() -> None:
    op.execute("""
        ALTER TABLE task_facts
          ADD keys jsonb,
          ADD effect text NOT NULL DEFAULT '',
          ADD active_ms float8 NOT NULL DEFAULT 0,
          ADD bytes_in bigint NOT NULL DEFAULT 0,
          ADD bytes_out bigint NOT NULL DEFAULT 0,
          ADD duration_ms float8""")
    op.execute("""
        ALTER TABLE usage
          ADD bytes_in bigint NOT NULL DEFAULT 0,
          ADD bytes_out bigint NOT NULL DEFAULT 0,
          ADD effect_kinds jsonb NOT NULL DEFAULT '{}'""")
    op.execute("ALTER TABLE logs ADD search tsvector GENERATED ALWAYS AS (to_tsvector('simple', message)) STORED")
    op.execute("CREATE INDEX logs_by_word ON logs USING gin (search)")


def _rollups() -> None:
    for table, partitioned in {"rollups_minute": "PARTITION BY RANGE (at)", "rollups_hour": ""}.items():
        op.execute(f"""
            CREATE TABLE {table} (
              namespace text NOT NULL,
              measure text NOT NULL,
              at timestamptz NOT NULL,
              workflow text NOT NULL,
              version text NOT NULL,
              task text NOT NULL,
              count bigint NOT NULL,
              total float8 NOT NULL,
              smallest float8,
              largest float8,
              sketch jsonb NOT NULL DEFAULT '{{}}',
              PRIMARY KEY (namespace, measure, at, workflow, version, task)
            ) {partitioned}""")
    op.execute("CREATE TABLE rollups_minute_default PARTITION OF rollups_minute DEFAULT")
    op.execute(f"CREATE TEMPORARY TABLE happened ON COMMIT DROP AS {_HAPPENED}")
    for table, grain in {"rollups_minute": "minute", "rollups_hour": "hour"}.items():
        op.execute(_ADDED_UP.format(table=table, grain=grain))


# What was reported before, as lowtide.model.sketch and functions/ingest/rollups.py see it.
_SPENT = {
    "active_ms": "active_ms",
    "cpu_ms": "cpu_ms",
    "memory_bytes": "memory_bytes",
    "gb_seconds": "memory_bytes / 1073741824.0 * active_ms / 1000",
    "queueing_ms": "queueing_ms",
    "turns": "turns",
    "effects": "effects",
    "records": "records",
    "bytes_in": "bytes_in",
    "bytes_out": "bytes_out",
}
_SKETCHED = {"active_ms", "cpu_ms", "memory_bytes", "queueing_ms"}
_WHOM = "left(namespace, 300) AS namespace, left(workflow, 300) AS workflow, left(version, 300) AS version"

_HAPPENED = " UNION ALL ".join(
    [
        f"SELECT {_WHOM}, '' AS task, 'executions.created' AS measure, created_at AS at, "
        "NULL::float8 AS value, false AS sketched FROM executions",
        f"SELECT {_WHOM}, '', 'executions.' || phase, ended_at, duration_ms, true "
        "FROM executions WHERE ended_at IS NOT NULL",
        *(
            f"SELECT {_WHOM}, '', 'invocations.{name}', at, {value}, {name in _SKETCHED} FROM usage"
            for name, value in _SPENT.items()
        ),
        f"SELECT {_WHOM}, '', 'invocations.cold_start_ms', at, cold_start_ms, true FROM usage WHERE cold_start",
        f"SELECT {_WHOM}, left(reference, 300), 'tasks.' || status, at, NULL, false FROM task_facts "
        "WHERE status IN ('completed', 'faulted', 'retried', 'skipped', 'cancelled')",
        f"SELECT {_WHOM}, '', left('logs.' || level, 300), at, NULL, false FROM logs",
        f"SELECT {_WHOM}, '', left('metrics.' || name, 300), at, value, true FROM metric_samples "
        "WHERE value NOT IN ('NaN', 'Infinity', '-Infinity')",
    ]
)

_ADDED_UP = """
WITH cells AS (
  SELECT namespace, measure, date_trunc('{grain}', at, 'UTC') AS minute, workflow, version, task,
         count(*) AS count, coalesce(sum(value), 0) AS total, min(value) AS smallest, max(value) AS largest
    FROM happened GROUP BY 1, 2, 3, 4, 5, 6),
bins AS (
  SELECT namespace, measure, date_trunc('{grain}', at, 'UTC') AS minute, workflow, version, task,
         CASE WHEN abs(value) <= 1e-9 THEN 0
              ELSE sign(value) * greatest(1, ceil((ln(abs(value)) - ln(1e-9::float8)) / ln(1.01::float8 / 0.99)))
         END::int AS bin, count(*) AS n
    FROM happened WHERE sketched AND value IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7),
sketches AS (
  SELECT namespace, measure, minute, workflow, version, task, jsonb_object_agg(bin, n) AS sketch
    FROM bins GROUP BY 1, 2, 3, 4, 5, 6)
INSERT INTO {table} (namespace, measure, at, workflow, version, task, count, total, smallest, largest, sketch)
SELECT namespace, measure, minute, workflow, version, task, count, total, smallest, largest, coalesce(sketch, '{{}}')
  FROM cells LEFT JOIN sketches USING (namespace, measure, minute, workflow, version, task)
"""
