"""Nouns of the journal and of history <-> protobuf (``lowtide/rpc/v1/ingest.proto``)."""

from __future__ import annotations

from typing import Final, Literal

from lowtide.model.base import JSON, Millis
from lowtide.model.fact import Fact
from lowtide.model.usage import Spent, Usage
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.wire import json
from lowtide.wire.records import Change, Closing, Entry, JournalRecord, LeaseState, Opened, Outline, Subject
from lowtide.wire.types import Wake

__all__ = [
    "append_of",
    "change_of",
    "closing_from",
    "fact_of",
    "item_of",
    "lease_from",
    "log_line_of",
    "opened_fresh",
    "opened_from",
    "outline_of",
    "records_from",
    "subject_of",
    "usage_of",
    "wake_from",
]

_ANSWERS: Final[dict[int, Literal["ok", "held", "closed", "gone", "diverged"]]] = {
    pb.OpenReply.OK: "ok",
    pb.OpenReply.HELD: "held",
    pb.OpenReply.CLOSED: "closed",
    pb.OpenReply.GONE: "gone",
    pb.OpenReply.DIVERGED: "diverged",
}

_NOTHING: Final = Spent()


def append_of(
    execution: str, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
) -> pb.Append:
    records = [pb.Record(number=number, epoch=epoch, body=json.encode(entry)) for number, entry in entries]
    close = None if closing is None else pb.Closed(type=closing.type, body=closing.body)
    return pb.Append(execution=execution, epoch=epoch, records=records, close=close)


def opened_from(reply: pb.OpenReply) -> Opened:
    """Raises :class:`lowtide.errors.InvalidInput` where a record is not an entry."""
    closing = closing_from(reply.outcome) if reply.HasField("outcome") else None
    return Opened(_ANSWERS[reply.answer], tail=_tail_of(reply), closing=closing, reason=reply.reason)


def opened_fresh(opened: pb.Opened) -> Opened:
    """Raises :class:`lowtide.errors.InvalidInput` where a record is not an entry."""
    return Opened("ok", tail=_tail_of(opened))


def _tail_of(message: pb.OpenReply | pb.Opened) -> tuple[tuple[int, Entry], ...]:
    return tuple((record.number, json.decode(record.body, Entry)) for record in message.tail)


def records_from(reply: pb.ReadJournalReply) -> tuple[JournalRecord, ...]:
    """Raises :class:`lowtide.errors.InvalidInput` where a record is not an entry."""
    return tuple(
        JournalRecord(number=record.number, epoch=record.epoch, entry=json.decode(record.body, Entry))
        for record in reply.records
    )


def closing_from(closed: pb.Closed) -> Closing:
    return Closing(closed.type, closed.body)


def lease_from(lease: pb.Lease) -> LeaseState:
    closing = closing_from(lease.closed) if lease.HasField("closed") else None
    return LeaseState(lease.epoch, lease.alive, closing, lease.owner)


def item_of(execution: str, epoch: int, wake: Wake) -> pb.Item:
    return pb.Item(execution=execution, epoch=epoch, body=json.encode(wake))


def wake_from(item: pb.Item) -> Wake:
    """Raises :class:`lowtide.errors.InvalidInput` where the body is not a wake."""
    return json.decode(item.body, Wake)


def subject_of(subject: Subject) -> pb.Subject:
    return pb.Subject(
        namespace=subject.namespace,
        workflow=subject.workflow,
        version=subject.version,
        execution=subject.execution,
    )


def fact_of(subject: pb.Subject, fact: Fact) -> pb.TaskFact:
    spent = fact.spent or _NOTHING
    told = pb.TaskFact(
        subject=subject,
        number=fact.number,
        task=fact.task,
        name=fact.name,
        reference=fact.reference,
        kind=fact.kind,
        status=fact.status,
        at=fact.at,
        attempt=fact.attempt,
        error=b"" if fact.error is None else json.encode(fact.error),
        keys=json.encode(fact.keys) if fact.keys else b"",
        effect=spent.effect,
        active_ms=spent.active_ms,
        bytes_in=spent.bytes_in,
        bytes_out=spent.bytes_out,
        duration_ms=spent.duration_ms,
    )
    if spent.input_tokens or spent.output_tokens:
        told.input_tokens, told.output_tokens = spent.input_tokens, spent.output_tokens
    if fact.wait:
        told.wait = json.encode(fact.wait)
    return told


def log_line_of(
    subject: pb.Subject, line: str, at: Millis, level: str, message: str, task: str, fields: dict[str, JSON] | None
) -> pb.LogLine:
    """``line`` is the line's own id, unique within its execution and moment."""
    body = json.encode(fields) if fields else b""
    return pb.LogLine(subject=subject, id=line, at=at, level=level, message=message, task=task, fields=body)


def usage_of(subject: pb.Subject, epoch: int, at: Millis, usage: Usage) -> pb.InvocationUsage:
    return pb.InvocationUsage(
        subject=subject,
        epoch=epoch,
        at=at,
        active_ms=usage.active_ms,
        cpu_ms=usage.cpu_ms,
        memory_bytes=usage.memory_bytes,
        cold_start=usage.cold_start,
        cold_start_ms=usage.cold_start_ms,
        queueing_ms=usage.queueing_ms,
        turns=usage.turns,
        effects=usage.effects,
        records=usage.records,
        bytes_in=usage.bytes_in,
        bytes_out=usage.bytes_out,
        effect_kinds=usage.effect_kinds,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
    )


def change_of(change: Change) -> pb.ExecutionChange:
    return pb.ExecutionChange(
        subject=subject_of(change.subject),
        version_number=change.number,
        phase=change.phase,
        created_at=change.created_at,
        started_at=change.started_at or 0,
        ended_at=change.ended_at or 0,
        error=b"" if change.error is None else json.encode(change.error),
        parent=change.parent or "",
        epoch=change.epoch,
        tags=change.tags,
        reason=change.reason or "",
        facts=[fact_of(subject_of(change.subject), fact) for fact in change.facts],
        parent_task=change.parent_task or "",
    )


def outline_of(outline: Outline) -> pb.WorkflowOutline:
    return pb.WorkflowOutline(
        namespace=outline.namespace,
        workflow=outline.workflow,
        version=outline.version,
        deployed_at=outline.deployed_at,
        body=outline.body,
    )
