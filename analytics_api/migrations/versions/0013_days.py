"""Rollups by day, from the hours that there are."""

from alembic import op

revision = "0013"
down_revision = "0012"

_KEY = "namespace, measure, at, workflow, version, task"

# As lowtide.model.rollup names them.
_BY_DAY = """
  (measure LIKE 'executions.%' OR measure LIKE 'tasks.%' OR measure LIKE 'effects.%' OR measure IN (
    'invocations.active_ms', 'invocations.cold_start_ms', 'invocations.cpu_ms', 'invocations.gb_seconds',
    'invocations.input_tokens', 'invocations.output_tokens'))
"""

# Bins are added up as rows, which PostgreSQL puts on disk where they are many, and become a sketch at the end.
_FILLED = f"""
WITH hours AS NOT MATERIALIZED (
  SELECT namespace, measure, date_trunc('day', at, 'UTC') AS at, workflow, version, task, count, total, smallest,
         largest, sketch
    FROM rollups_hour WHERE {_BY_DAY}),
cells AS (
  SELECT {_KEY}, sum(count)::bigint AS count, sum(total) AS total, min(smallest) AS smallest, max(largest) AS largest
    FROM hours GROUP BY {_KEY}),
bins AS (
  SELECT {_KEY}, bin, sum(n::bigint)::bigint AS n
    FROM hours CROSS JOIN LATERAL jsonb_each_text(sketch) AS given (bin, n)
   WHERE measure NOT LIKE 'effects.%' GROUP BY {_KEY}, bin),
sketches AS (SELECT {_KEY}, jsonb_object_agg(bin, n) AS sketch FROM bins GROUP BY {_KEY})
INSERT INTO rollups_day ({_KEY}, count, total, smallest, largest, sketch)
SELECT {_KEY}, count, total, smallest, largest, coalesce(sketch, '{{}}')
  FROM cells LEFT JOIN sketches USING ({_KEY})
"""

_PERCENTILES = ", ".join(
    f"analysts.quantile(sketch, {share}) AS {name}" for name, share in {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items()
)


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE rollups_day (
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
          PRIMARY KEY ({_KEY}))""")
    # Writers wait: what one of them adds to an hour meanwhile would be in no day.
    op.execute("LOCK TABLE rollups_hour IN SHARE MODE")
    op.execute(_FILLED)
    op.execute(
        "CREATE VIEW analysts.days WITH (security_barrier) AS SELECT workflow, version, task, measure, at, count, "
        f"total, smallest, largest, {_PERCENTILES}, sketch FROM rollups_day "
        "WHERE namespace = (SELECT analysts.namespace())"
    )
