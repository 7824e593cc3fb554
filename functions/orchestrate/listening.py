"""Listeners meet events. Both sides commit their row first and match in a second transaction.

Whichever commits last sees the other's row; a process that dies in between leaves a mark (``matched_at`` of the event,
``caught_up`` of the listener) that the tick finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from lowtide.engine import Host, WouldWait
from lowtide.engine.matching import is_asked, matches
from lowtide.model.base import JSON
from lowtide.model.command import Await, AwaitFilter
from lowtide.model.event import EventsReceived, Received
from lowtide.runtime import chance
from lowtide.wire.lifecycle import of_listening
from lowtide.wire.types import Wake

from .announcing import about, tell
from .hearing import hears
from .nouns import Execution, millis
from .store import events, executions
from .store.events import Kept, Subscription
from .store.keys import hashed
from .waking import deliver
from .work import Work

__all__ = ["catch_up", "offer", "received_by", "subscribe"]

_PAGE = 500


async def subscribe(work: Work, execution: Execution, command: Await, issued: datetime, now: datetime) -> None:
    """Register a listener; one that is registered already keeps its place in time.

    A correlated listener sees kept events since its execution began, an uncorrelated one since the dispatch that issued
    it was written.
    """
    there = await events.subscriptions_of(work.tx, execution.id, command.id)
    if there and tuple(found.filter for found in there) == command.filters and there[0].need == command.need:
        return
    earlier = min((found.since for found in there), default=issued)
    await events.unsubscribe(work.tx, execution.id, command=command.id)
    rows = [
        {
            "namespace": execution.namespace,
            "execution": execution.id,
            "command": command.id,
            "filter": wanted,
            "need": command.need,
            "since": execution.created_at if wanted.is_correlated else earlier,
        }
        for wanted in command.filters
    ]
    await events.subscribe(work.tx, rows)
    work.after.listeners.append((execution.id, command.id))
    if not there:
        whom = await about(work, execution)
        await tell(work, execution, of_listening(whom, command.id, millis(now), execution.change))


async def catch_up(work: Work, execution_id: str, command: str) -> None:
    """Show a listener the kept events that came before it."""
    found = await executions.lock(work.tx, execution_id)
    filters = await events.subscriptions_of(work.tx, execution_id, command) if found else []
    if not found or not filters:
        return
    types = {wanted.filter.with_.get("type") for wanted in filters}
    literal = all(isinstance(kind, str) and not kind.startswith("regex:") for kind in types)
    since, after = min(wanted.since for wanted in filters), 0
    while True:
        page = await events.kept_since(
            work.tx, filters[0].namespace, [str(kind) for kind in types] if literal else None, since, after, _PAGE
        )
        for kept in page:
            await _hand_over(work, execution_id, command, filters, kept)
        if len(page) < _PAGE:
            break
        after = page[-1].id
    await events.caught_up(work.tx, execution_id, command)


async def offer(work: Work, execution_id: str, command: str, kept: Kept) -> None:
    """Show one event to one listener."""
    if await executions.lock(work.tx, execution_id) is not None:
        filters = await events.subscriptions_of(work.tx, execution_id, command)
        await _hand_over(work, execution_id, command, filters, kept)


async def _hand_over(work: Work, execution_id: str, command: str, filters: Sequence[Subscription], kept: Kept) -> None:
    """Deliver an event to a listener whose execution is locked, if it matches and was not delivered before."""
    event = kept.event
    wanted = [
        found for found in filters if found.since <= kept.received_at and hears(found.filter, event, execution_id)
    ]
    received = await received_by(work.host, wanted, kept)
    if not received or not await events.deliver(work.tx, hashed(execution_id, command), kept.fingerprint):
        return
    found = await executions.lock(work.tx, execution_id)  # again: an event before this one may have woken it
    assert found is not None
    execution, now = found
    happened = EventsReceived(at=millis(now), random=chance.uniform(), command=command, events=received)
    await deliver(work, execution, Wake(key=f"event:{hashed(command, kept.fingerprint)}", event=happened), now)


async def received_by(host: Host, filters: Sequence[Subscription], kept: Kept) -> tuple[Received, ...]:
    """What a subscriber receives of this event: filters of ``all`` each for themselves, of ``any`` the first."""
    event = kept.event
    found: list[int] = []
    for subscription in filters:
        asked = is_asked(subscription.need, subscription.filter.index, found)
        if asked and await _matches(host, subscription.filter, event, kept.received_at):
            found.append(subscription.filter.index)
    return tuple(Received(event, index) for index in found)


async def _matches(host: Host, wanted: AwaitFilter, event: dict[str, JSON], at: datetime) -> bool:
    """Expressions that may take long are evaluated in a thread, so that nobody else waits for them."""
    try:
        return matches(wanted, event, getattr(host, "impatient", host), now=millis(at))
    except WouldWait:
        return await asyncio.to_thread(matches, wanted, event, host, now=millis(at))
