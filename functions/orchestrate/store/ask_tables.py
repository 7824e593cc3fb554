"""The table of what people and other systems are asked. Part of the control store, as ``tables`` is."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, ForeignKey, Identity, Index, LargeBinary, Table, Text, Uuid

from .tables import metadata, moment

__all__ = ["asks", "metadata"]

asks = Table(
    "asks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("execution", Uuid(as_uuid=False), ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    # A callback's id, or the command of a human task; hashed where it is long.
    Column("key", Text, nullable=False),
    # callback, task.
    Column("kind", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("workflow_version", BigInteger, nullable=False),
    # open; completed; expired: its time was over before; closed: nobody waits for it any more.
    Column("status", Text, nullable=False),
    # Who waits for it: none yet, where a callback was called before its execution has come so far.
    Column("commands", ARRAY(Text), nullable=False),
    # JSON of lowtide.model.command.Ask; null: as above.
    Column("asked", LargeBinary),
    # What of it is shown in lists.
    Column("title", Text),
    # user:NAME or group:NAME, as it is now.
    Column("assignee", Text),
    Column("claimed_by", Text),
    moment("claimed_at"),
    moment("due"),
    # JSON of the event that is the answer, and what tells a repeated answer from a second one.
    Column("answer", LargeBinary),
    Column("answered_by", Text),
    Column("digest", Text),
    Column("idempotency_key", Text),
    moment("created_at", nullable=False),
    moment("ended_at"),
)
Index("asks_once", asks.c.execution, asks.c.key, unique=True)
_OF_PEOPLE = asks.c.kind == "task"
Index("asks_by_age", asks.c.namespace, asks.c.status, asks.c.id, postgresql_where=_OF_PEOPLE)
Index("asks_by_assignee", asks.c.namespace, asks.c.assignee, asks.c.status, asks.c.id, postgresql_where=_OF_PEOPLE)
