"""What the outbox sends: dispatches to the Broker, changes and outlines to ingest, cancels to children."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lowtide.errors import InvalidInput, LowtideError
from lowtide.model.base import Millis
from lowtide.model.plan import Plan
from lowtide.runtime.clock import Clock
from lowtide.telemetry.tracing import Tracer
from lowtide.wire import json
from lowtide.wire.records import Change, Outline
from lowtide.wire.types import LIFECYCLE

from .announcing import events_in
from .cancelling import cancel
from .changing import announce, change
from .dispatching import event_of, traced
from .incoming import accept
from .nouns import millis
from .ports import Broker, Ingest
from .relay import Channel, Claim
from .store import events, executions, outbox, workflows
from .store.outbox import Kind, ToSend
from .work import Desk, Work

__all__ = ["channels"]

_GATHER: Final = 0.25
"""Seconds that analytics and the world may lag, so that many changes are told with one."""


def channels(
    desk: Desk, clock: Clock, broker: Broker, ingest: Ingest, tracer: Tracer | None = None
) -> dict[Kind, Channel]:
    """One channel per kind of outbox row."""
    heard = _Lifecycle(desk, broker)

    async def send_dispatch(rows: Sequence[ToSend]) -> None:
        (row,) = rows
        assert row.order is not None
        expires = Millis(clock.now() + int(desk.terms.token_lifetime * 1000))
        with traced(row.order, tracer) as span:
            await broker.send(await event_of(row.order, desk.terms.key, expires, desk.claims, span))

    async def send_changes(rows: Sequence[ToSend]) -> None:
        answers = (ingest.change(json.decode(row.body, Change)) for row in rows)
        failures = [answer for answer in await asyncio.gather(*answers, return_exceptions=True) if answer is not None]
        for failure in failures:
            raise failure

    async def send_cancel(rows: Sequence[ToSend]) -> None:
        (row,) = rows
        reason = json.parse(row.body)["reason"]
        await desk.do(lambda work: cancel(work, row.execution, reason))

    async def send_outline(rows: Sequence[ToSend]) -> None:
        (row,) = rows
        await ingest.outline(await _outline(desk, int(row.body)))

    changes, lifecycle = {"width": 2000, "together": 100}, {"width": 256, "together": 64}
    return {
        "dispatch": Channel("dispatch", desk, clock, _Dispatches().claim, send_dispatch, _suspend, width=128),
        "change": Channel("change", desk, clock, _claiming("change"), send_changes, _drop, gather=_GATHER, **changes),
        "lifecycle": Channel("lifecycle", desk, clock, heard.claim, heard.send, _drop, gather=_GATHER, **lifecycle),
        "cancel": Channel("cancel", desk, clock, _claiming("cancel"), send_cancel, _drop, width=4),
        "outline": Channel("outline", desk, clock, _claiming("outline"), send_outline, _drop, width=2),
    }


class _Lifecycle:
    """Publishes lifecycle events, and shows them to our own workflows that name their type.

    Triggers do not bring them back (``wire/triggers.py``): where nobody here listens, nothing is asked of orchestrate.
    """

    def __init__(self, desk: Desk, broker: Broker) -> None:
        self._desk = desk
        self._broker = broker
        self._wanted: frozenset[str] = frozenset()

    async def claim(self, desk: Desk, lease: float, limit: int) -> list[ToSend]:
        found = await _claimed(desk, "lifecycle", lease, limit)
        if found:
            self._wanted = await desk.database.run(lambda tx: events.named_types(tx, LIFECYCLE))
        return found

    async def send(self, rows: Sequence[ToSend]) -> None:
        """Where one fails, all are sent again: their ids tell who has them already."""
        told = [event for row in rows for event in events_in(row.body)]
        await accept(self._desk, [event for event in told if event.type in self._wanted], None)
        await self._broker.send_all(told)


class _Dispatches:
    """Claims dispatches. It remembers whose turn it was: what is claimed one by one goes round, too."""

    def __init__(self) -> None:
        self._after = ""

    async def claim(self, desk: Desk, lease: float, limit: int) -> list[ToSend]:
        return await desk.do(lambda work: self._claim(work, lease, limit))

    async def _claim(self, work: Work, lease: float, limit: int) -> list[ToSend]:
        """A pending execution whose dispatch is about to be sent is running."""
        terms = work.terms
        found = await outbox.claim_dispatches(
            work.tx, lease, limit, terms.max_outstanding, terms.lost_after, self._after
        )
        if found:
            counts = Counter(row.order.namespace for row in found if row.order is not None)
            self._after = max(counts, key=lambda name: (counts[name], name <= self._after, name))
            for begun in await executions.begin(work.tx, [row.execution for row in found]):
                assert begun.started_at is not None
                await announce(work, replace(begun, phase="pending", started_at=None), begun, begun.started_at)
        return found


async def _outline(desk: Desk, number: int) -> Outline:
    """What a version is made of, as analytics keeps it: names and conditions, none of its data."""
    from lowtide.dsl.draw import graph  # the whole grammar comes with it

    version = await desk.database.run(lambda tx: workflows.version_of(tx, number))
    return Outline(
        namespace=version.namespace,
        workflow=version.name,
        version=version.version,
        deployed_at=millis(version.created_at),
        body=json.encode(graph(json.decode(version.plan, Plan))),
    )


async def _claimed(desk: Desk, kind: Kind, lease: float, limit: int) -> list[ToSend]:
    return await desk.database.alone(lambda driver: outbox.claim(driver, kind, lease, limit))


def _claiming(kind: Kind) -> Claim:
    return lambda desk, lease, limit: _claimed(desk, kind, lease, limit)


async def _suspend(work: Work, row: ToSend, failure: LowtideError) -> None:
    """A dispatch that the Broker will never take: somebody has to look at it."""
    found = await executions.lock(work.tx, row.execution)
    if found is not None and not found[0].ended:
        await change(work, *found, phase="suspended", reason=f"its dispatch cannot be sent: {failure}")


async def _drop(work: Work, row: ToSend, failure: LowtideError) -> None:
    """Nothing more can be done about it than what the log says."""
    if not isinstance(failure, InvalidInput):
        raise failure
