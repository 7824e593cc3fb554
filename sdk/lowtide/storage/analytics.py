"""The analytics store: what may lag, may be dropped under pressure, and can be rebuilt from journal and control.

Ingest writes it; the analytics API reads it and owns its migrations. Everything is idempotent: a batch that is written
twice leaves the same rows.

Ready to be partitioned by day: every primary key begins with a moment, or with an execution id, which is a UUIDv7 and
so sorts by the moment of creation. There are no foreign keys: rows of one execution arrive in any order.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

__all__ = ["dropped", "executions", "logs", "metadata", "metric_samples", "task_facts", "usage"]

metadata = MetaData()


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
    _moment("created_at"),
    _moment("started_at", nullable=True),
    _moment("ended_at", nullable=True),
    Column("error", JSONB),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    # Why it is suspended or cancelled.
    Column("reason", Text),
)
"""What control knows of each execution, one row each."""

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
)
"""Every change of every task's status: the timeline."""

Index("task_facts_by_workflow", task_facts.c.namespace, task_facts.c.workflow, task_facts.c.at)

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
)
"""Log lines of executions; the primary key is the order in which they are read."""

Index("logs_by_workflow", logs.c.namespace, logs.c.workflow, logs.c.at)

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
)
"""What each invocation cost."""

Index("usage_by_workflow", usage.c.namespace, usage.c.workflow, usage.c.at)

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
