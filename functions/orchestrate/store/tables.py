"""The tables of the control store. Orchestrate alone reads and writes them; the migrations are tested against this.

JSON that users wrote is ``bytea``: it comes back byte for byte (numbers, key order, the NUL characters that ``jsonb``
refuses) and may be encrypted. What the database itself must look into is a column of its own.

Columns that are indexed hold text of a bounded length: hashes, and the first characters of event types.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

__all__ = [
    "alert_watch",
    "containers",
    "deliveries",
    "dispatches",
    "executions",
    "gathered",
    "inbox",
    "interests",
    "kept_events",
    "metadata",
    "moment",
    "namespaces",
    "outbox",
    "schedules",
    "subscriptions",
    "timers",
    "workflow_versions",
    "workflows",
]

metadata = MetaData()

_NOW = text("clock_timestamp()")


def moment(name: str, *, default: bool = False, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=_NOW if default else None)


def _execution(*, primary_key: bool = False) -> Column[str]:
    owner = ForeignKey("executions.id", ondelete="CASCADE")
    return Column("execution", Uuid(as_uuid=False), owner, primary_key=primary_key, nullable=False)


# ---------------------------------------------------------------- workflows

namespaces = Table(
    "namespaces",
    metadata,
    Column("name", Text, primary_key=True),
    moment("created_at", default=True, nullable=False),
)

workflows = Table(
    "workflows",
    metadata,
    Column("namespace", Text, ForeignKey("namespaces.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    moment("created_at", default=True, nullable=False),
)
"""One row per name that was ever deployed; its lock orders what concerns all versions (deploy, gather events)."""

workflow_versions = Table(
    "workflow_versions",
    metadata,
    # Grows with every deployment: the newest version is the one that was deployed last.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("definition", LargeBinary, nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("warnings", LargeBinary, nullable=False),
    moment("created_at", default=True, nullable=False),
    # Hidden from the API, but kept: executions go on with the plan that they began with.
    moment("deleted_at"),
    # How long its executions are kept after their end; null: as long as those of others.
    Column("retain", Interval),
)
Index(
    "workflow_versions_by_name",
    workflow_versions.c.namespace,
    workflow_versions.c.name,
    workflow_versions.c.version,
    unique=True,
    postgresql_where=workflow_versions.c.deleted_at.is_(None),
)
Index("workflow_versions_newest", workflow_versions.c.namespace, workflow_versions.c.name, workflow_versions.c.id)

interests = Table(
    "interests",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_version", BigInteger, ForeignKey("workflow_versions.id", ondelete="CASCADE"), nullable=False),
    Column("namespace", Text, nullable=False),
    # The literal event type that a filter asks for; null: any.
    Column("type", Text),
)
"""What deployed documents may ever listen for: other events are not kept."""
Index("interests_by_type", interests.c.type, interests.c.namespace)
Index("interests_by_version", interests.c.workflow_version)

# ---------------------------------------------------------------- executions

executions = Table(
    "executions",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("workflow_version", BigInteger, ForeignKey("workflow_versions.id"), nullable=False),
    Column("phase", Text, nullable=False),
    # The number of the newest invocation; its dispatch is in ``dispatches`` while it has not ended.
    Column("epoch", BigInteger, nullable=False),
    # Counts the changes that were told to analytics.
    Column("change", BigInteger, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    # The newest snapshot and the passive commands that were pending in it.
    Column("state", LargeBinary),
    Column("upto", BigInteger, nullable=False, server_default=text("0")),
    Column("waiting", LargeBinary),
    Column("output", LargeBinary),
    Column("error", LargeBinary),
    # The type of the error, by which executions are looked for: cut, and of the standard's own the name alone.
    Column("error_type", Text),
    # Why it is suspended or cancelled.
    Column("reason", Text),
    # Why an operator wants it suspended, from then until its invocation has parked.
    Column("suspend_asked", Text),
    # Whether it follows from a lifecycle event, however far: its own start nothing by themselves.
    Column("echo", Boolean, nullable=False, server_default=text("false")),
    Column("parent", Uuid(as_uuid=False)),
    Column("parent_command", Text),
    # The execution that this one repeats; how (restart, retry, fork), and the task entry that it went on from.
    Column("origin", Uuid(as_uuid=False)),
    Column("origin_kind", Text),
    Column("origin_task", Text),
    # What started it, hashed: the same key of the same workflow starts one execution.
    Column("dedupe", Text),
    Column("body_digest", Text),
    Column("traceparent", Text),
    moment("created_at", nullable=False),
    moment("started_at"),
    moment("ended_at"),
    # Where it takes a slot whenever it runs; null: its workflow has no limit of concurrency.
    Column("lane", Text),
)
Index(
    "executions_once",
    executions.c.namespace,
    executions.c.workflow,
    executions.c.dedupe,
    unique=True,
    postgresql_where=executions.c.dedupe.is_not(None),
)
Index("executions_by_age", executions.c.namespace, executions.c.id)
Index("executions_by_workflow", executions.c.namespace, executions.c.workflow, executions.c.id)
Index("executions_by_phase", executions.c.namespace, executions.c.phase, executions.c.id)
Index("executions_by_parent", executions.c.parent, postgresql_where=executions.c.parent.is_not(None))
Index("executions_by_origin", executions.c.origin, postgresql_where=executions.c.origin.is_not(None))
Index("executions_alive", executions.c.workflow_version, postgresql_where=executions.c.ended_at.is_(None))
Index(
    "executions_ended",
    executions.c.workflow_version,
    executions.c.ended_at,
    postgresql_where=executions.c.ended_at.is_not(None),
)

Index(
    "executions_by_error",
    executions.c.namespace,
    executions.c.error_type,
    executions.c.id,
    postgresql_where=executions.c.error_type.is_not(None),
)

dispatches = Table(
    "dispatches",
    metadata,
    _execution(primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    moment("issued_at", nullable=False),
    # When the Broker (or execute itself) first took it: it then counts as outstanding.
    moment("sent_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # When somebody should ask what became of it.
    moment("next_try"),
    # The process whose end was the reason to issue it again: while nobody has opened it since, that is no reason twice.
    Column("gone", Text),
    # Which line it stands in; null: nothing limits it. See ``store/lanes.py``.
    Column("lane", Text(collation="C")),
    # Starts with the same mark replace each other while they wait.
    Column("debounce", Text),
    # Lower first: 0 goes on after a park, 1 to 201 start by priority.
    Column("rank", Integer),
    # Since when it waits to be admitted, and is in no outbox; null: it has a slot.
    moment("queued_at"),
    # From when on somebody should look whether it can be admitted; null: when something else happens.
    moment("look_at"),
)
"""Work orders whose invocation has not ended. ``body`` never changes: it is sent again byte for byte."""
Index("dispatches_outstanding", dispatches.c.next_try, postgresql_where=dispatches.c.sent_at.is_not(None))
_QUEUED = dispatches.c.queued_at.is_not(None)
Index("dispatches_queued", dispatches.c.lane, dispatches.c.rank, dispatches.c.queued_at, postgresql_where=_QUEUED)
Index("dispatches_admitted", dispatches.c.lane, postgresql_where=dispatches.c.lane.is_not(None) & ~_QUEUED)
Index("dispatches_to_look_at", dispatches.c.look_at, postgresql_where=dispatches.c.look_at.is_not(None))
Index("dispatches_debounced", dispatches.c.debounce, postgresql_where=dispatches.c.debounce.is_not(None) & _QUEUED)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _execution(),
    Column("key", Text, nullable=False),
    # JSON of lowtide.model.event.Event.
    Column("event", LargeBinary, nullable=False),
    moment("at", nullable=False),
    UniqueConstraint("execution", "key", name="inbox_once"),
)
"""Wakes that no snapshot contains yet; a row goes when its event is in one."""

timers = Table(
    "timers",
    metadata,
    _execution(primary_key=True),
    # The Sleep's command id, hashed where it is long; or ``cancel``: a running execution has until then to obey.
    Column("key", Text, primary_key=True),
    Column("command", Text, nullable=False),
    moment("due", nullable=False),
    moment("claimed_until"),
)
Index("timers_free", timers.c.due, postgresql_where=timers.c.claimed_until.is_(None))
Index("timers_held", timers.c.claimed_until, postgresql_where=timers.c.claimed_until.is_not(None))

schedules = Table(
    "schedules",
    metadata,
    # The newest version of a workflow that declares every, cron or after.
    Column("workflow_version", BigInteger, ForeignKey("workflow_versions.id", ondelete="CASCADE"), primary_key=True),
    # When it starts the next execution; null while ``after`` waits for the end of ``running``.
    moment("due"),
    moment("claimed_until"),
    Column("running", Uuid(as_uuid=False)),
    Column("pause", Interval),
)
Index("schedules_by_due", schedules.c.due)
Index("schedules_by_running", schedules.c.running, postgresql_where=schedules.c.running.is_not(None))

containers = Table(
    "containers",
    metadata,
    # Derived from execution and command: the name under which whoever runs it knows it, too.
    Column("id", Text, primary_key=True),
    # No foreign key: what is still to be removed outlives the execution.
    Column("execution", Uuid(as_uuid=False), nullable=False),
    Column("command", Text, nullable=False),
    # wanted: to be started; running; over: to be removed when due; done: remembered until due.
    Column("phase", Text, nullable=False),
    Column("awaited", Boolean, nullable=False),
    # JSON of lowtide.model.container.Order.
    Column("ordered", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("created_at", nullable=False),
    moment("started_at"),
    # When somebody should look at it; a claim moves it on.
    moment("due", nullable=False),
)
Index("containers_by_due", containers.c.due)
Index("containers_by_execution", containers.c.execution)

# ---------------------------------------------------------------- events

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("namespace", Text, nullable=False),
    # A listener: this command of this execution. Null where the subscription starts a workflow.
    Column("execution", Uuid(as_uuid=False), ForeignKey("executions.id", ondelete="CASCADE")),
    Column("command", Text),
    # A starter: schedule.on of this version.
    Column("workflow_version", BigInteger, ForeignKey("workflow_versions.id", ondelete="CASCADE")),
    Column("filter_index", Integer, nullable=False),
    Column("type", Text),
    Column("filter", LargeBinary, nullable=False),
    Column("need", Text, nullable=False),
    moment("since", nullable=False),
    # Whether kept events were already looked at for it.
    Column("caught_up", Boolean, nullable=False, server_default=text("false")),
)
"""One row per filter, so that an event finds its candidates by the literal type."""
Index("subscriptions_by_type", subscriptions.c.type, subscriptions.c.namespace)
Index("subscriptions_by_execution", subscriptions.c.execution, subscriptions.c.command)
Index("subscriptions_by_version", subscriptions.c.workflow_version)
Index("subscriptions_behind", subscriptions.c.since, postgresql_where=~subscriptions.c.caught_up)

kept_events = Table(
    "kept_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # sha256 of namespace, source and id: the same event twice is one row.
    Column("fingerprint", Text, nullable=False, unique=True),
    # Null: it came from outside of all namespaces and may match in any.
    Column("namespace", Text),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The execution that it is about, while it is kept for its sake.
    Column("execution", Uuid(as_uuid=False)),
    moment("received_at", nullable=False),
    moment("expires_at", nullable=False),
    moment("matched_at"),
)
Index("kept_events_by_type", kept_events.c.type, kept_events.c.received_at)
Index("kept_events_by_execution", kept_events.c.execution, postgresql_where=kept_events.c.execution.is_not(None))
Index("kept_events_unmatched", kept_events.c.id, postgresql_where=kept_events.c.matched_at.is_(None))
Index("kept_events_by_expiry", kept_events.c.expires_at)

deliveries = Table(
    "deliveries",
    metadata,
    # Who got it: ``{execution} {command}`` or ``{namespace} {workflow}``, hashed.
    Column("subscriber", Text, primary_key=True),
    Column(
        "fingerprint", Text, ForeignKey("kept_events.fingerprint", ondelete="CASCADE"), primary_key=True, index=True
    ),
)
"""Each subscriber gets each event once."""

gathered = Table(
    "gathered",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_version", BigInteger, ForeignKey("workflow_versions.id", ondelete="CASCADE"), nullable=False),
    Column("filter_index", Integer, nullable=False),
    # The event's correlation values, hashed: only events of one group start an execution together.
    Column("correlation", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Events of a ``schedule.on.all`` that wait for the others."""
Index("gathered_by_group", gathered.c.workflow_version, gathered.c.correlation, gathered.c.filter_index)

# ---------------------------------------------------------------- out

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # dispatch: publish the execution's dispatch; change: tell ingest; cancel: cancel this child; lifecycle: publish;
    # outline: tell ingest of the workflow's version whose number is the body; its execution is nobody's.
    Column("kind", Text, nullable=False),
    Column("execution", Uuid(as_uuid=False), nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("body", LargeBinary),
    moment("not_before", default=True, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Of a dispatch: namespaces take turns.
    Column("namespace", Text, nullable=False, server_default=text("''")),
)
"""What must still be told to others. A claim moves ``not_before`` on: no transaction is held while a row is sent."""
Index("outbox_due", outbox.c.kind, outbox.c.not_before)
Index("outbox_by_namespace", outbox.c.namespace, outbox.c.not_before, postgresql_where=outbox.c.kind == "dispatch")
Index("outbox_by_execution", outbox.c.execution)

alert_watch = Table(
    "alert_watch",
    metadata,
    # There is one row.
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    # In milliseconds; null where there are no rules.
    Column("every", BigInteger),
    moment("ask_at", nullable=False),
)
"""How often analytics wants to be asked to look at alert rules, as it told, and when it is asked next."""
