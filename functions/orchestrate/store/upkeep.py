"""The tables of operation: bulk operations, dead letters, deletions. Part of the control store, as ``tables`` is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Identity, Index, Integer, LargeBinary, Table, Text, Uuid, text

from .tables import metadata, moment

__all__ = ["dead_letters", "metadata", "operations", "removals"]

operations = Table(
    "operations",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("action", Text, nullable=False),
    # JSON: whom it is about, and what more it says.
    Column("filter", LargeBinary, nullable=False),
    Column("options", LargeBinary, nullable=False),
    # How many per second.
    Column("rate", Double, nullable=False),
    # running, stopped, completed.
    Column("phase", Text, nullable=False),
    # How many there were when it was asked for, and what became of those that it has dealt with.
    Column("matched", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("skipped", BigInteger, nullable=False, server_default=text("0")),
    Column("failed", BigInteger, nullable=False, server_default=text("0")),
    # The last one that it has dealt with, and the last one that it is about: what comes later is not meant.
    Column("cursor", Text, nullable=False),
    Column("bound", Text, nullable=False),
    # JSON: the newest failures.
    Column("problems", LargeBinary, nullable=False),
    Column("dedupe", Text),
    Column("body_digest", Text),
    moment("created_at", nullable=False),
    moment("ended_at"),
    moment("due", nullable=False),
    moment("claimed_until"),
)
"""What is done to many: one at a time, each in one transaction with the cursor, so that nothing is done twice."""
Index("operations_by_age", operations.c.namespace, operations.c.id)
Index("operations_by_due", operations.c.due, postgresql_where=operations.c.ended_at.is_(None))
Index(
    "operations_once",
    operations.c.namespace,
    operations.c.dedupe,
    unique=True,
    postgresql_where=operations.c.dedupe.is_not(None),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("execution", Uuid(as_uuid=False)),
    Column("epoch", BigInteger),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("code", Text),
    Column("detail", Text),
    # What was done about it: applied, alive, again, suspended, ignored, discarded, out of date …
    Column("verdict", Text, nullable=False),
    # Null: it named none, and came from outside of all.
    Column("namespace", Text),
    # JSON of the event, which is needed to redrive it; not of dispatches, which are stored anyway.
    Column("event", LargeBinary),
    Column("redrives", Integer, nullable=False, server_default=text("0")),
    # Null while somebody should look at it.
    moment("settled_at"),
    moment("at", default=True, nullable=False),
)
Index("dead_letters_by_namespace", dead_letters.c.namespace, dead_letters.c.id)
Index("dead_letters_settled", dead_letters.c.settled_at, postgresql_where=dead_letters.c.settled_at.is_not(None))
Index("dead_letters_by_execution", dead_letters.c.execution)

removals = Table(
    "removals",
    metadata,
    # It is in ``executions`` no more.
    Column("execution", Uuid(as_uuid=False), primary_key=True),
    Column("namespace", Text, nullable=False),
    # What had started it: a second order to start the same child comes late, and starts nothing.
    Column("workflow", Text, nullable=False),
    Column("dedupe", Text),
    moment("due", nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Since when its journal and payloads are gone, and nobody can write into its journal.
    moment("fenced_at"),
)
"""Deleted executions of which others may still have something."""
Index("removals_by_due", removals.c.due)
Index(
    "removals_by_key",
    removals.c.namespace,
    removals.c.workflow,
    removals.c.dedupe,
    postgresql_where=removals.c.dedupe.is_not(None),
)
