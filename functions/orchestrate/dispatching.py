"""Dispatches: written once, sent byte for byte as often as needed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import msgspec

from lowtide.model.base import Millis
from lowtide.runtime.claims import Claims
from lowtide.telemetry.tracing import Span, Tracer, spanning
from lowtide.wire.claims import MEDIA_TYPE, referred
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.mac import digest_of, sign
from lowtide.wire.traces import trace_of_execution, written
from lowtide.wire.types import DISPATCH, Extension, Level, Wake, dispatch_id, source_of, wants

from .announcing import about
from .nouns import Execution, Order, millis
from .store import executions, lanes, outbox
from .work import Work

__all__ = ["body_of", "compose", "event_of", "issue_again", "traced", "write"]


async def compose(
    work: Work, execution: Execution, epoch: int, wakes: tuple[Wake, ...], now: datetime
) -> tuple[bytes, str]:
    """The work order of one epoch, and its digest."""
    plan = await work.plans.stored(work.tx, execution.workflow_version)
    level = (await about(work, execution)).level
    body = body_of(execution, epoch, plan, wakes, millis(now), work.terms.budget, work.terms.short_wait, level)
    return body, digest_of(body)


async def write(
    work: Work, execution: Execution, epoch: int, wakes: tuple[Wake, ...], now: datetime, *, takes_over: bool = False
) -> None:
    """Store the work order of one epoch and put it into the outbox; where its workflow limits how many run at once,
    it waits for a slot, unless it ``takes_over`` that of the epoch before."""
    body, digest = await compose(work, execution, epoch, wakes, now)
    values = {"execution": execution.id, "epoch": epoch, "body": body, "digest": digest, "issued_at": now}
    if execution.lane is not None:
        values["lane"] = execution.lane
    if execution.lane is None or takes_over:
        await executions.add_dispatch(work.tx, values, execution.namespace)
        work.after.publish = True
    else:
        await executions.queue_dispatch(work.tx, values)
        work.after.queued = True


async def issue_again(work: Work, execution: Execution) -> None:
    """Have the newest dispatch sent again; where it takes a slot it waits for one."""
    await outbox.drop_dispatch(work.tx, execution.id)
    if await lanes.requeue(work.tx, execution.id, execution.epoch):
        work.after.queued = True
    else:
        await outbox.issue(work.tx, execution)
        work.after.publish = True


def body_of(
    execution: Execution,
    epoch: int,
    plan: bytes,
    wakes: tuple[Wake, ...],
    at: Millis,
    budget: float,
    short_wait: float,
    lifecycle: Level = "none",
) -> bytes:
    """JSON of :class:`lowtide.wire.types.Dispatch`; the large parts are stored as JSON and put in as they are."""
    order: dict[str, Any] = {
        "execution": execution.id,
        "namespace": execution.namespace,
        "workflow": execution.workflow,
        "version": execution.version,
        "epoch": epoch,
        "at": at,
        "plan": msgspec.Raw(plan),
    }
    if execution.state is None:
        order["seed"] = msgspec.Raw(execution.seed)
    else:
        payload = referred(execution.state)
        kept = {"state": msgspec.Raw(execution.state)} if payload is None else {"payload": payload}
        order["snapshot"] = {**kept, "upto": execution.upto}
    order["wakes"] = wakes
    order["budget"] = int(budget * 1000)
    order["shortWait"] = int(short_wait * 1000)
    if wants(lifecycle, "task"):
        order["lifecycle"] = lifecycle
    if execution.echo:
        order["echo"] = True
    return msgspec.json.encode(order)


def traced(order: Order, tracer: Tracer | None) -> AbstractContextManager[Span | None]:
    """The span of sending a dispatch, in the one trace that its execution has."""
    above = None if tracer is None else trace_of_execution(order.execution, order.traceparent)
    name, epoch = f"dispatch {order.workflow}", order.epoch
    return spanning(tracer, name, above, "producer", execution=order.execution, epoch=epoch)


async def event_of(order: Order, key: bytes, expires: Millis, claims: Claims, span: Span | None = None) -> CloudEvent:
    """The CloudEvent that carries a dispatch. Only the token differs from one sending to the next.

    A large one carries a reference, which names the digest that the token vouches for. Its body is put into the
    payload store each time that it is sent: should it have been lost there, it is back. ``span``: that of its sending.
    """
    body = await claims.check_in(order.namespace, order.execution, order.body, "the dispatch")
    attributes: dict[str, str | int | bool] = {
        "specversion": "1.0",
        "id": dispatch_id(order.execution, order.epoch),
        "source": source_of(order.namespace, order.workflow),
        "type": DISPATCH,
        "datacontenttype": "application/json" if referred(body) is None else MEDIA_TYPE,
        Extension.namespace: order.namespace,
        Extension.workflow: order.workflow,
        Extension.execution: order.execution,
        Extension.epoch: str(order.epoch),
        Extension.digest: order.digest,
        Extension.token: sign(key, "dispatch", order.execution, order.epoch, order.digest, expires),
    }
    attributes.update(written(order.traceparent if span is None else span.trace.text))
    return CloudEvent(attributes, body)
