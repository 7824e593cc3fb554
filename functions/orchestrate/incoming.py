"""Events from the world: kept, then matched in a second transaction against listeners and ``schedule.on``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from lowtide.engine.matching import correlation_values
from lowtide.engine.tasks.listen import read
from lowtide.errors import InvalidInput, LimitReached, LowtideError
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.event import Received
from lowtide.model.plan import Schedule
from lowtide.telemetry.tracing import current
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.traces import carried
from lowtide.wire.types import Extension, is_lifecycle

from .hearing import is_echo, starts
from .listening import offer, received_by
from .nouns import Deployed, millis
from .starting import event_key, start
from .store import deadletters, events, executions, workflows
from .store.events import Kept, Subscription
from .store.keys import fingerprint, hashed
from .work import Desk, Work

__all__ = ["accept", "match", "match_again", "match_leftovers"]

log = logging.getLogger("lowtide.orchestrate")

_REFUSED = (LimitReached, InvalidInput)
"""How the limits of a workflow refuse a start."""


async def accept(desk: Desk, arrived: Sequence[CloudEvent], namespace: str | None) -> int:
    """Keep events and match them; how many were new and of interest to anything that is deployed.

    Returns once they are durable. Matching that fails is finished by the next tick. Raises
    :class:`lowtide.errors.Unavailable`.
    """
    numbers = await desk.do(lambda work: _keep(work, arrived, namespace)) if arrived else []
    for number in numbers:
        try:
            await match(desk, number)
        except LowtideError as error:
            log.warning("an event is matched later: %s", error)
    return len(numbers)


async def _keep(work: Work, arrived: Sequence[CloudEvent], namespace: str | None) -> list[int]:
    now = await executions.clock(work.tx)
    numbers = []
    for event in arrived:
        border = namespace or event.text(Extension.namespace)
        if not await events.interested(work.tx, border, event.type):
            continue
        number = await events.keep(
            work.tx,
            fingerprint(border, event.source, event.id),
            border,
            event.type,
            json.encode(event.as_json()),
            await _about(work, event),
            now,
            work.terms.keep_events,
        )
        if number is not None:
            numbers.append(number)
    return numbers


async def _about(work: Work, event: CloudEvent) -> ExecutionId | None:
    """The living execution that an event names; lifecycle events are not for the one that they tell of."""
    named = event.text(Extension.execution)
    if (
        is_lifecycle(event.type)
        or named is None
        or not executions.is_id(named)
        or not await executions.is_alive(work.tx, named)
    ):
        return None
    return ExecutionId(named)


async def match(desk: Desk, number: int) -> None:
    """Show a kept event to everybody who may want it, each in a transaction of its own."""

    async def look(work: Work) -> tuple[Kept | None, list[Subscription]]:
        kept = await events.find_kept(work.tx, number)
        return kept, await events.candidates(work.tx, kept) if kept else []

    kept, found = await desk.do(look)
    if kept is None:
        return
    listeners: defaultdict[tuple[ExecutionId, str], list[Subscription]] = defaultdict(list)
    for subscription in found:
        if subscription.execution is not None:
            listeners[subscription.execution, str(subscription.command)].append(subscription)
    for (execution, command), filters in listeners.items():
        if await received_by(desk.host, filters, kept):
            await _offer(desk, execution, command, kept)
    known: set[int] = set()
    while starters := {version: filters for version, filters in _starters(found).items() if version not in known}:
        moved = [version for version, filters in starters.items() if not await _show(desk, version, filters, kept)]
        known |= set(starters)
        if not moved:
            break
        # Another version was deployed meanwhile: the event is for that one.
        found = await desk.do(lambda work, one=kept: events.candidates(work.tx, one))  # type: ignore[misc]
    await desk.do(lambda work: events.mark_matched(work.tx, number))


def _starters(found: Sequence[Subscription]) -> dict[int, list[Subscription]]:
    starters: defaultdict[int, list[Subscription]] = defaultdict(list)
    for subscription in found:
        if subscription.workflow_version is not None:
            starters[subscription.workflow_version].append(subscription)
    return starters


async def _show(desk: Desk, version: int, filters: list[Subscription], kept: Kept) -> bool:
    """Start what the event starts of this version; ``False`` where events do not start it any more."""
    wanted = await _startable(desk, version, filters, kept)
    received = await received_by(desk.host, wanted, kept)
    return not received or await _start(desk, version, wanted, received, kept)


async def _startable(desk: Desk, version: int, filters: list[Subscription], kept: Kept) -> list[Subscription]:
    """The filters by which this event may start an execution."""
    if not is_lifecycle(kept.type):
        return filters
    found = await desk.do(lambda work: workflows.deployed_of(work.tx, version))
    if found is None:
        return []
    return [one for one in filters if starts(one.filter, kept.event, found.namespace, found.name)]


async def match_leftovers(desk: Desk, older_than: float, most: int) -> int:
    """Finish what a process that died had begun; how many events."""
    numbers = await desk.database.run(lambda tx: events.unmatched(tx, older_than, most))
    for number in numbers:
        await match(desk, number)
    return len(numbers)


async def _offer(desk: Desk, execution: ExecutionId, command: str, kept: Kept) -> None:
    await desk.do(lambda work: offer(work, execution, command, kept))


async def _start(
    desk: Desk, version: int, filters: Sequence[Subscription], received: Sequence[Received], kept: Kept
) -> bool:
    if filters[0].need == "all":
        return await desk.do(lambda work: _gather(work, version, filters, received, kept))
    return await desk.do(lambda work: _start_one(work, version, kept))


async def _start_one(work: Work, number: int, kept: Kept) -> bool:
    """One or any: every event that matches starts an execution, once per source and id."""
    version, event = await workflows.deployed_of(work.tx, number), kept.event
    if version is None or not await workflows.triggers(work.tx, version):
        return False
    now = await executions.clock(work.tx)
    given = [read(event, (await _schedule(work, number)).read)]
    dedupe = event_key(str(event["source"]), str(event["id"]))
    try:
        await start(work, version, given, now, dedupe=dedupe, traceparent=_traceparent(event), echo=is_echo(event))
    except _REFUSED as refused:
        await _lay_aside(work, version, event, refused)
    return True


async def _gather(
    work: Work, number: int, filters: Sequence[Subscription], received: Sequence[Received], kept: Kept
) -> bool:
    """All: events wait for each other, per correlation; the oldest of each filter start an execution together."""
    version = await workflows.deployed_of(work.tx, number)
    if version is None:
        return False
    await workflows.lock_name(work.tx, version.namespace, version.name)
    if not await workflows.triggers(work.tx, version):
        return False
    if not await events.deliver(work.tx, hashed("start", version.namespace, version.name), kept.fingerprint):
        return True
    schedule = await _schedule(work, number)
    assert schedule.on is not None
    wanted = set(range(len(schedule.on.filters)))
    by_index = {found.filter.index: found.filter for found in filters}
    for one in received:
        values = correlation_values(by_index[one.filter], one.event, work.host, now=millis(kept.received_at))
        group = hashed(*(json.encode([key, values[key]]).decode() for key in sorted(values)))
        await events.gather(work.tx, number, one.filter, group, kept, kept.body)
        oldest = await events.gathered_of(work.tx, number, group)
        if set(oldest) < wanted:
            continue
        chosen = [oldest[index] for index in sorted(wanted)]
        await events.take_gathered(work.tx, [row for row, _, _ in chosen])
        bodies = [json.parse(body) for _, _, body in chosen]
        given = [read(body, schedule.read) for body in bodies]
        echo = any(is_echo(body) for body in bodies)
        dedupe = hashed("events", *(mark for _, mark, _ in chosen))
        now = await executions.clock(work.tx)
        try:
            await start(work, version, given, now, dedupe=dedupe, traceparent=_traceparent(kept.event), echo=echo)
        except _REFUSED as refused:
            for body in bodies:
                await _lay_aside(work, version, body, refused)
    return True


async def _lay_aside(work: Work, version: Deployed, event: dict[str, JSON], refused: LowtideError) -> None:
    """An event that starts nothing, since the workflow's limits refuse it, is a dead letter with the reason."""
    log.warning("event %s starts no %s/%s: %s", event["id"], version.namespace, version.name, refused)
    letter = {
        **{name: str(event[name]) for name in ("type", "source")},
        "event_id": str(event["id"]),
        "code": refused.code,
        "detail": f"workflow {version.namespace}/{version.name}: {refused}",
        "verdict": "refused",
        "namespace": version.namespace,
        "execution": None,
        "event": json.encode(event),
    }
    await deadletters.record(work.tx, letter)


async def match_again(desk: Desk, event: CloudEvent, namespace: str | None) -> bool:
    """Show a kept event once more to whoever may want it; whether it is kept. Nobody gets it twice."""
    borders = {namespace, event.text(Extension.namespace), None}
    marks = [fingerprint(border, event.source, event.id) for border in borders]
    numbers = await desk.database.run(lambda tx: events.numbers_of(tx, marks))
    for number in numbers:
        await match(desk, number)
    return bool(numbers)


async def _schedule(work: Work, number: int) -> Schedule:
    schedule = (await work.plans.get(work.tx, number)).schedule
    assert schedule is not None, "only versions with a schedule have such subscriptions"
    return schedule


def _traceparent(event: dict[str, object]) -> str | None:
    """Of the work at hand, which is below the event's own where that is traced; else the event's."""
    return current() or carried(event)
