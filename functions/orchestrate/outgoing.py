"""What the outbox sends: dispatches to the Broker, changes to ingest, cancels to children."""

from __future__ import annotations

from lowtide.errors import InvalidInput, LowtideError
from lowtide.model.base import Millis
from lowtide.runtime.clock import Clock
from lowtide.wire import json
from lowtide.wire.records import Change

from .cancelling import cancel
from .changing import announce, change
from .dispatching import event_of
from .ports import Broker, Ingest
from .relay import Channel, Claim
from .store import executions, outbox
from .store.outbox import Kind, ToSend
from .work import Desk, Work

__all__ = ["channels"]


def channels(desk: Desk, clock: Clock, broker: Broker, ingest: Ingest) -> dict[Kind, Channel]:
    """One channel per kind of outbox row."""

    async def send_dispatch(row: ToSend) -> None:
        assert row.order is not None
        expires = Millis(clock.now() + int(desk.terms.token_lifetime * 1000))
        await broker.send(event_of(row.order, desk.terms.key, expires))

    async def send_change(row: ToSend) -> None:
        await ingest.change(json.decode(row.body, Change))

    async def send_cancel(row: ToSend) -> None:
        reason = json.parse(row.body)["reason"]
        await desk.do(lambda work: cancel(work, row.execution, reason))

    return {
        "dispatch": Channel("dispatch", desk, clock, _claim_dispatches, send_dispatch, _suspend, width=128),
        "change": Channel("change", desk, clock, _claiming("change"), send_change, _drop, width=500),
        "cancel": Channel("cancel", desk, clock, _claiming("cancel"), send_cancel, _drop, width=4),
    }


async def _claim_dispatches(work: Work, lease: float, limit: int) -> list[ToSend]:
    """A pending execution whose dispatch is about to be sent is running."""
    found = await outbox.claim_dispatches(work.tx, lease, limit, work.terms.max_outstanding, work.terms.lost_after)
    if found:
        for begun in await executions.begin(work.tx, [row.execution for row in found]):
            await announce(work, begun)
    return found


def _claiming(kind: Kind) -> Claim:
    async def claim(work: Work, lease: float, limit: int) -> list[ToSend]:
        return await outbox.claim(work.tx, kind, lease, limit)

    return claim


async def _suspend(work: Work, row: ToSend, failure: LowtideError) -> None:
    """A dispatch that the Broker will never take: somebody has to look at it."""
    found = await executions.lock(work.tx, row.execution)
    if found is not None and not found[0].ended:
        await change(work, found[0], phase="suspended", reason=f"its dispatch cannot be sent: {failure}")


async def _drop(work: Work, row: ToSend, failure: LowtideError) -> None:
    """Nothing more can be done about it than what the log says."""
    if not isinstance(failure, InvalidInput):
        raise failure
