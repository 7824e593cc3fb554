"""What a busy installation would have reported in ninety days, made by PostgreSQL itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg

__all__ = ["DAYS", "LONG", "fill"]

DAYS: Final = 90
_END: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
_LONG_AT: Final = _END - timedelta(days=DAYS // 2)
LONG: Final = UUID(f"{int(_LONG_AT.timestamp() * 1000):012x}7000bfffffffffffffff")
"""The execution with a timeline of two hundred tasks, among those of a day."""

_BY_ID: Final = ("executions", "task_facts", "logs", "usage")

# An id as RFC 9562 has it: the moment in milliseconds, and then what tells executions of one moment apart.
_MADE: Final = """
CREATE FUNCTION id_of(moment timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000'
          || lpad(to_hex(n), 12, '0'))::uuid
$$;
CREATE FUNCTION share(n bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT (hashint8extended(n, salt) & 1048575) / 1048576.0
$$;
"""

_EXECUTIONS: Final = """
INSERT INTO executions (execution, namespace, workflow, version, version_number, phase, epoch, created_at, started_at,
                        ended_at, error, tags, invocations, active_ms, cpu_ms, gb_seconds, cold_starts, effects)
SELECT id_of(at, n), CASE WHEN n %% 10 = 0 THEN 'other' ELSE 'bench' END, 'order-' || (share(n, 1) * 20)::int, '1.0.0',
       4, phase, 1, at, at, CASE WHEN phase <> 'waiting' THEN at + interval '1 s' * exp(6 * share(n, 2)) END,
       CASE WHEN phase = 'faulted' THEN jsonb_build_object('status', 500, 'title', 'The payment gateway refused',
         'type', 'https://open-workflow-specification.org/spec/1.0.0/errors/'
                 || (ARRAY['communication', 'timeout', 'runtime'])[1 + (share(n, 3) * 2.99)::int]) END,
       jsonb_build_object('customer', 'c-' || n %% 9000, 'region', (ARRAY['eu', 'us', 'ap'])[1 + n %% 3]),
       1, 100 * exp(3 * share(n, 4)), 40, exp(4 * share(n, 5)) / 100, n %% 7 / 6, 4
  FROM (SELECT n, %(day)s::timestamptz + interval '1 day' * (n - %(first)s::bigint) / %(count)s::bigint AS at,
               CASE WHEN share(n, 0) < 0.05 THEN 'faulted' WHEN share(n, 0) < 0.06 THEN 'cancelled'
                    WHEN share(n, 0) < 0.07 THEN 'waiting' ELSE 'completed' END AS phase
          FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(count)s::bigint - 1) AS n) AS made
"""

_FACTS: Final = """
INSERT INTO task_facts (execution, number, namespace, workflow, version, task, name, reference, kind, status, at)
SELECT execution, 2 * k + s, namespace, workflow, version, '/do/' || k || '/step@1', 'step', '/do/' || k || '/step',
       'call', CASE s WHEN 1 THEN 'running' ELSE 'completed' END, created_at + interval '20 ms' * (2 * k + s)
  FROM executions, generate_series(0, 4) AS k, generate_series(1, 2) AS s
 WHERE execution >= %(low)s AND execution < %(high)s
"""

_LOGS: Final = """
INSERT INTO logs (execution, at, id, namespace, workflow, version, level, message, task)
SELECT execution, created_at + interval '30 ms', '1', namespace, workflow, version,
       CASE WHEN phase = 'faulted' THEN 'error' ELSE 'info' END,
       'goods reserved for ' || (tags ->> 'customer') || ' in warehouse ' || (active_ms::int %% 50), '/do/0/step@1'
  FROM executions WHERE execution >= %(low)s AND execution < %(high)s
"""

_USAGE: Final = """
INSERT INTO usage (execution, epoch, namespace, workflow, version, at, active_ms, cpu_ms, memory_bytes, cold_start,
                   cold_start_ms, queueing_ms, turns, effects, records)
SELECT execution, 1, namespace, workflow, version, coalesce(ended_at, created_at), active_ms, cpu_ms, 268435456,
       cold_starts = 1, cold_starts * 300, 5, 6, 4, 4
  FROM executions WHERE execution >= %(low)s AND execution < %(high)s
"""

# The bins of lowtide.model.sketch.
_ROLLUPS: Final = """
INSERT INTO {table} (namespace, measure, at, workflow, version, task, count, total, smallest, largest, sketch)
SELECT namespace, '{measure}' || {suffix}, minute, workflow, version, '{task}', sum(n), sum(total), min(smallest),
       max(largest), {sketch}
  FROM (SELECT namespace, workflow, version, phase, date_trunc('{grain}', {at}, 'UTC') AS minute, count(*) AS n,
               greatest(1, ceil((ln({value}) - ln(1e-9::float8)) / ln(1.01::float8 / 0.99)))::int AS bin,
               sum({value}) AS total, min({value}) AS smallest, max({value}) AS largest
          FROM executions WHERE ended_at IS NOT NULL AND {at} >= %(since)s
         GROUP BY 1, 2, 3, 4, 5, bin) AS bins
 GROUP BY namespace, workflow, version, minute, {suffix}
"""

_LONG_ONE: Final = """
INSERT INTO task_facts (execution, number, namespace, workflow, version, task, name, reference, kind, status, at)
SELECT %(long)s, 2 * k + s, 'bench', 'long', '1.0.0', '/do/' || k || '/step@1', 'step', '/do/' || k || '/step',
       'call', CASE s WHEN 1 THEN 'running' ELSE 'completed' END, %(at)s + interval '1 s' * (2 * k + s)
  FROM generate_series(0, 199) AS k, generate_series(1, 2) AS s
"""


def fill(url: str, executions: int) -> datetime:
    """Answers the moment at which all of it ends."""
    count = max(1, executions // DAYS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        connection.execute(_MADE)
        for day in range(DAYS):
            _fill_day(connection, _END - timedelta(days=DAYS - day), day * count, count)
        connection.execute(_LONG_ONE, {"long": LONG, "at": _LONG_AT})
        _roll_up(connection)
        connection.execute("VACUUM ANALYZE")
    return _END


def _fill_day(connection: psycopg.Connection[Any], day: datetime, first: int, count: int) -> None:
    low, high = (UUID(int=int(moment.timestamp() * 1000) << 80) for moment in (day, day + timedelta(days=1)))
    for table in _BY_ID:
        connection.execute(
            f"CREATE TABLE {table}_{day:%Y%m%d} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"
        )
    connection.execute(
        f"CREATE TABLE rollups_minute_{day:%Y%m%d} PARTITION OF rollups_minute "
        f"FOR VALUES FROM ('{day.isoformat()}') TO ('{(day + timedelta(days=1)).isoformat()}')"
    )
    connection.execute(_EXECUTIONS, {"day": day, "first": first, "count": count})
    for statement in (_FACTS, _LOGS, _USAGE):
        connection.execute(statement, {"low": low, "high": high})


def _roll_up(connection: psycopg.Connection[Any]) -> None:
    """Minutes of the last thirty days, hours and days of all."""
    ended = {"measure": "executions.", "suffix": "phase", "at": "ended_at", "value": "duration_ms"}
    cost = {"measure": "invocations.gb_seconds", "suffix": "''::text", "at": "created_at", "value": "gb_seconds"}
    active = {"measure": "invocations.active_ms", "suffix": "''::text", "at": "created_at", "value": "active_ms"}
    tasks = ended | {"measure": "tasks."}
    bins, none = "jsonb_object_agg(bin, n)", "'{}'::jsonb"
    rollups = [(ended, bins, ""), (cost, none, ""), (active, bins, "")]
    rollups += [(tasks, bins, f"/do/{k}/step") for k in range(5)]
    for grain, days in (("minute", 30), ("hour", DAYS + 1), ("day", DAYS + 1)):
        for rollup, sketch, task in rollups:
            statement = _ROLLUPS.format(table=f"rollups_{grain}", grain=grain, sketch=sketch, task=task, **rollup)
            connection.execute(statement.encode(), {"since": _END - timedelta(days=days)})
