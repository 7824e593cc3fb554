"""Every cell of the rollups, recomputed from the rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import UTC
from typing import Any

import psycopg
import pytest

from lowtide.model.rollup import by_day, sketched_by_day
from lowtide.model.sketch import ERROR, merged, quantile

__all__ = ["GRAINS", "check", "read"]

GRAINS = {"minute": {"second": 0}, "hour": {"minute": 0, "second": 0}, "day": {"hour": 0, "minute": 0, "second": 0}}
"""What there are rollups by, and what of a moment is left out for it."""


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


_HAPPENED = """
SELECT 'executions.created', namespace, workflow, created_at, NULL::float8 FROM executions UNION ALL
SELECT 'executions.' || phase, namespace, workflow, ended_at, duration_ms FROM executions
 WHERE ended_at IS NOT NULL UNION ALL
SELECT 'invocations.active_ms', namespace, workflow, at, active_ms FROM usage UNION ALL
SELECT 'invocations.cpu_ms', namespace, workflow, at, cpu_ms FROM usage UNION ALL
SELECT 'invocations.queueing_ms', namespace, workflow, at, queueing_ms FROM usage UNION ALL
SELECT 'invocations.gb_seconds', namespace, workflow, at, memory_bytes / 1073741824.0 * active_ms / 1000 FROM usage
 UNION ALL
SELECT 'invocations.cold_start_ms', namespace, workflow, at, cold_start_ms FROM usage WHERE cold_start UNION ALL
SELECT 'effects.' || effect, namespace, workflow, at, active_ms FROM task_facts WHERE effect <> '' UNION ALL
SELECT 'tasks.' || status, namespace, workflow, at, duration_ms FROM task_facts
 WHERE status NOT IN ('running', 'waiting') UNION ALL
SELECT 'metrics.' || name, namespace, workflow, at, value FROM metric_samples UNION ALL
SELECT 'logs.' || level, namespace, workflow, at, NULL FROM logs
"""


def check(url: str, grain: str) -> None:
    """Recomputes every cell of the rollups from the rows."""
    counts: Counter[Any] = Counter()
    values: dict[Any, list[float]] = defaultdict(list)
    for measure, namespace, workflow, at, value in read(url, _HAPPENED):
        if grain == "day" and not by_day(measure):
            continue
        begins = at.astimezone(UTC).replace(**GRAINS[grain], microsecond=0)
        key = (measure, namespace, workflow, begins)
        counts[key] += 1
        if value is not None:
            values[key].append(value)
    rolled: dict[Any, Any] = {}
    query = f"SELECT measure, namespace, workflow, at, count, total, smallest, largest, sketch FROM rollups_{grain}"
    for measure, namespace, workflow, at, *cell, sketch in read(url, query):  # a row for each version and task
        key = (measure, namespace, workflow, at)
        rolled[key] = _added(rolled.get(key), (*cell, {int(number): n for number, n in sketch.items()}))
    assert {key: cell[0] for key, cell in rolled.items() if key in counts} == counts
    if grain == "day":
        assert all(
            by_day(measure) and bool(cell[4]) <= sketched_by_day(measure) for (measure, *_), cell in rolled.items()
        )
    for key, given in values.items():
        _, total, smallest, largest, bins = rolled[key]
        assert total == pytest.approx(sum(given), rel=1e-9, abs=1e-6)
        assert (smallest, largest) == (min(given), max(given))
        if bins:
            assert sum(bins.values()) == len(given)
            for share in (0.5, 0.95, 0.99):
                exact = sorted(given)[max(1, math.ceil(share * len(given))) - 1]
                assert quantile(bins, share) == pytest.approx(exact, rel=ERROR * 1.0001, abs=1e-9)


def _added(one: Any, other: Any) -> Any:
    """Two cells of the same measure: count, sum, smallest, largest, bins."""
    if one is None:
        return other
    smallest = [value for value in (one[2], other[2]) if value is not None]
    largest = [value for value in (one[3], other[3]) if value is not None]
    counted = (one[0] + other[0], one[1] + other[1])
    return (*counted, min(smallest, default=None), max(largest, default=None), merged(one[4], other[4]))
