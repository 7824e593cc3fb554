"""The analytics store: what may lag, may be dropped under pressure, and can be rebuilt from journal and control.

Ingest writes it; the analytics API reads it and owns its migrations. Everything is idempotent: a batch that is written
twice leaves the same rows, and is counted once in the rollups. There are no foreign keys: rows of one execution arrive
in any order.

Large tables are partitioned by day: by a moment, or by an execution id, which is a UUIDv7 and so sorts by the moment of
creation; all rows of an execution are then in partitions of one day. A default partition has what no day takes.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.engine import Connection

__all__ = [
    "PARTITIONED",
    "dropped",
    "executions",
    "logs",
    "metadata",
    "metric_samples",
    "outlines",
    "rollups_day",
    "rollups_hour",
    "rollups_minute",
    "task_facts",
    "usage",
]

metadata = MetaData()

PARTITIONED: Final = {
    "executions": "execution",
    "task_facts": "execution",
    "logs": "execution",
    "usage": "execution",
    "metric_samples": "at",
    "rollups_minute": "at",
}
"""Table -> the column whose range a partition holds, a day of it."""

MERGED_SKETCH: Final = """
CREATE FUNCTION merged_sketch(one jsonb, other jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN other = '{}' THEN one WHEN one = '{}' THEN other ELSE one || (
    SELECT jsonb_object_agg(bin, n::bigint + coalesce((one ->> bin)::bigint, 0))
      FROM jsonb_each_text(other) AS given (bin, n)) END
$$
"""
"""Adds the counts of equal bins (``lowtide.model.sketch``), looking only at bins of the second.

A row has many of them, and few are added at a time."""

SKETCH_SUM: Final = """
CREATE AGGREGATE sketch_sum(jsonb) (SFUNC = merged_sketch, STYPE = jsonb, INITCOND = '{}', PARALLEL = SAFE)
"""


@event.listens_for(metadata, "before_create")
def _functions(_metadata: MetaData, connection: Connection, **_: object) -> None:
    for statement in (MERGED_SKETCH, SKETCH_SUM):
        connection.execute(text(statement))


@event.listens_for(metadata, "after_create")
def _defaults(_metadata: MetaData, connection: Connection, **_: object) -> None:
    for table in PARTITIONED:
        connection.execute(text(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"))


def _by_day(table: str) -> dict[str, Any]:
    return {"postgresql_partition_by": f"RANGE ({PARTITIONED[table]})"}


def _sum(name: str, kind: type[Any] = Double) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text("0"))


def _subject() -> list[Column[str]]:
    """Whom a row is about, so that every query can begin with the tenant."""
    return [
        Column("namespace", Text, nullable=False),
        Column("workflow", Text, nullable=False),
        Column("version", Text, nullable=False),
    ]


def _moment(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, primary_key=primary_key)


executions = Table(
    "executions",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    *_subject(),
    # Orders what control says: a change is taken only if its number is higher than the stored one.
    Column("version_number", BigInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("parent", Uuid(as_uuid=True)),
    # The entry of the parent's task that runs it.
    Column("parent_task", Text),
    _moment("created_at"),
    _moment("started_at", nullable=True),
    _moment("ended_at", nullable=True),
    Column("error", JSONB),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    # Why it is suspended or cancelled.
    Column("reason", Text),
    # The correlation keys that its listeners resolved.
    Column("correlation", JSONB, nullable=False, server_default=text("'{}'")),
    # What all its reported invocations cost together; 1 GB-second is 2^30 bytes for a second.
    _sum("invocations", BigInteger),
    _sum("cold_starts", BigInteger),
    _sum("active_ms"),
    _sum("cpu_ms"),
    _sum("gb_seconds"),
    _sum("queueing_ms"),
    _sum("cold_start_ms"),
    _sum("effects", BigInteger),
    _sum("bytes_in", BigInteger),
    _sum("bytes_out", BigInteger),
    _sum("input_tokens", BigInteger),
    _sum("output_tokens", BigInteger),
    # As they were before the last write: it learns from them whether this write was the one that began or ended it.
    Column("known_version", BigInteger, nullable=False, server_default=text("0")),
    _moment("known_end", nullable=True),
    Column("duration_ms", Double, Computed("extract(epoch from ended_at - created_at) * 1000", persisted=True)),
    Column("error_type", Text, Computed("error ->> 'type'", persisted=True)),
    Column(
        "search",
        TSVECTOR,
        Computed(
            "to_tsvector('simple', workflow || ' ' || coalesce(reason, '')) || "
            "jsonb_to_tsvector('simple', coalesce(error, '{}'), '[\"string\"]') || "
            "jsonb_to_tsvector('simple', tags, '\"all\"') || jsonb_to_tsvector('simple', correlation, '\"all\"')",
            persisted=True,
        ),
    ),
    **_by_day("executions"),
)
"""What control knows of each execution, and what it cost, one row each.

Version number 0: of this execution control has told nothing yet."""

Index(
    "executions_by_namespace",
    executions.c.namespace,
    executions.c.created_at.desc(),
    executions.c.execution.desc(),
)
Index(
    "executions_by_workflow",
    executions.c.namespace,
    executions.c.workflow,
    executions.c.created_at.desc(),
    executions.c.execution.desc(),
)
Index(
    "executions_by_phase",
    executions.c.namespace,
    executions.c.phase,
    executions.c.created_at.desc(),
    executions.c.execution.desc(),
)
Index(
    "executions_by_workflow_phase",
    executions.c.namespace,
    executions.c.workflow,
    executions.c.phase,
    executions.c.created_at.desc(),
    executions.c.execution.desc(),
)
Index(
    "executions_by_end",
    executions.c.namespace,
    executions.c.ended_at,
    executions.c.workflow,
    postgresql_where=executions.c.ended_at.is_not(None),
)
Index("executions_by_parent", executions.c.parent, postgresql_where=executions.c.parent.is_not(None))
Index(
    "executions_by_error",
    executions.c.namespace,
    executions.c.error_type,
    executions.c.created_at.desc(),
    postgresql_where=executions.c.error_type.is_not(None),
)
Index(
    "executions_by_duration",
    executions.c.namespace,
    executions.c.duration_ms.desc(),
    executions.c.execution.desc(),
    postgresql_where=executions.c.duration_ms.is_not(None),
)
Index(
    "executions_by_cost",
    executions.c.namespace,
    executions.c.gb_seconds.desc(),
    executions.c.execution.desc(),
)
Index("executions_by_tag", executions.c.tags, postgresql_using="gin", postgresql_ops={"tags": "jsonb_path_ops"})
Index(
    "executions_by_correlation",
    executions.c.correlation,
    postgresql_using="gin",
    postgresql_ops={"correlation": "jsonb_path_ops"},
    postgresql_where=text("correlation <> '{}'"),
)
Index("executions_by_word", executions.c.search, postgresql_using="gin")

task_facts = Table(
    "task_facts",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    # Orders the facts of an execution; the same fact always has the same number. The timeline reads in this order.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_subject(),
    Column("task", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    _moment("at"),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("error", JSONB),
    Column("keys", JSONB),
    # Of the effect whose result the fact follows from, if one did: its kind, and what it took.
    Column("effect", Text, nullable=False, server_default=text("''")),
    _sum("active_ms"),
    _sum("bytes_in", BigInteger),
    _sum("bytes_out", BigInteger),
    # That the answer of a model said were read and written.
    _sum("input_tokens", BigInteger),
    _sum("output_tokens", BigInteger),
    # Since this entry of the task began; null where that was in an invocation before.
    Column("duration_ms", Double),
    # What it waits for, or, where it is retried, until when: lowtide.engine.waits.
    Column("wait", JSONB),
    **_by_day("task_facts"),
)
"""Every change of every task's status: the timeline."""

Index("task_facts_by_age", task_facts.c.at, postgresql_using="brin")

logs = Table(
    "logs",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    _moment("at", primary_key=True),
    Column("id", Text, primary_key=True),
    *_subject(),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("task", Text, nullable=False, server_default=text("''")),
    Column("fields", JSONB),
    Column("search", TSVECTOR, Computed("to_tsvector('simple', message)", persisted=True)),
    **_by_day("logs"),
)
"""Log lines of executions; the primary key is the order in which they are read."""

Index("logs_by_workflow", logs.c.namespace, logs.c.workflow, logs.c.at)
Index("logs_by_age", logs.c.at, postgresql_using="brin")
Index("logs_by_time", logs.c.namespace, logs.c.at.desc(), logs.c.execution.desc(), logs.c.id.desc())
Index("logs_by_word", logs.c.search, postgresql_using="gin")

metric_samples = Table(
    "metric_samples",
    metadata,
    _moment("at", primary_key=True),
    Column("id", Text, primary_key=True),
    *_subject(),
    # Null where the sample is about a process rather than an execution.
    Column("execution", Uuid(as_uuid=True)),
    Column("name", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    **_by_day("metric_samples"),
)

Index("metric_samples_by_name", metric_samples.c.namespace, metric_samples.c.name, metric_samples.c.at)

usage = Table(
    "usage",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    *_subject(),
    _moment("at"),
    Column("active_ms", Double, nullable=False),
    Column("cpu_ms", Double, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("cold_start", Boolean, nullable=False),
    Column("cold_start_ms", Double, nullable=False),
    Column("queueing_ms", Double, nullable=False),
    Column("turns", BigInteger, nullable=False),
    Column("effects", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    _sum("bytes_in", BigInteger),
    _sum("bytes_out", BigInteger),
    _sum("input_tokens", BigInteger),
    _sum("output_tokens", BigInteger),
    # Kind of effect (http, grpc, function ...) -> how many were started.
    Column("effect_kinds", JSONB, nullable=False, server_default=text("'{}'")),
    **_by_day("usage"),
)
"""What each invocation cost."""

Index("usage_by_age", usage.c.at, postgresql_using="brin")
Index("usage_by_workflow", usage.c.namespace, usage.c.workflow, usage.c.at)


def _rollups(name: str, **options: Any) -> Table:
    return Table(
        name,
        metadata,
        Column("namespace", Text, primary_key=True),
        # What was measured: see functions/ingest/rollups.py.
        Column("measure", Text, primary_key=True),
        _moment("at", primary_key=True),
        Column("workflow", Text, primary_key=True),
        Column("version", Text, primary_key=True),
        # The reference of the task that it is about, empty where it is about no task.
        Column("task", Text, primary_key=True),
        Column("count", BigInteger, nullable=False),
        Column("total", Double, nullable=False),
        # Null where only counts are kept.
        Column("smallest", Double),
        Column("largest", Double),
        # Bin -> count; empty where no percentiles are kept.
        Column("sketch", JSONB, nullable=False, server_default=text("'{}'")),
        **options,
    )


rollups_minute = _rollups("rollups_minute", **_by_day("rollups_minute"))
"""What happened in each minute that begins at ``at``, added up in the transaction that writes the rows."""

rollups_hour = _rollups("rollups_hour")
"""The same by hour: kept for longer, and few rows, so not partitioned."""

rollups_day = _rollups("rollups_day")
"""The same by day (UTC), of the measures that ``lowtide.model.rollup`` names."""

outlines = Table(
    "outlines",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("workflow", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    # A version that was removed may be deployed again, with other content.
    _moment("deployed_at", primary_key=True),
    # Nodes and edges, as lowtide.dsl.draw.graph makes them.
    Column("outline", JSONB, nullable=False),
)
"""What each deployed version of a workflow is made of; few and small, and kept."""

dropped = Table(
    "dropped",
    metadata,
    _moment("at", primary_key=True),
    # The process that dropped: an execute's owner name, or "ingest".
    Column("source", Text, primary_key=True),
    # facts, logs, metrics, usages, changes, or invalid (a row that no table takes).
    Column("kind", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Reports that were lost under pressure: counted, so that a gap is never mistaken for silence."""
