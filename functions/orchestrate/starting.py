"""Starts: an execution, its first dispatch and its outbox row in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lowtide.errors import Conflict, InvalidInput, LimitReached, LowtideError
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import RunChild
from lowtide.model.error import standard_error
from lowtide.model.event import ChildEnded
from lowtide.model.fact import Fact
from lowtide.model.state import Seed, State
from lowtide.runtime import chance
from lowtide.wire import json, states
from lowtide.wire.types import Wake

from . import dispatching
from .changing import notes_of
from .limiting import Place, Start, hold, place_of, refusals
from .nouns import Deployed, Execution, Note, Order, Repeating, millis
from .store import executions, groups, removals, wakes, workflows
from .store.groups import Beginning
from .store.keys import hashed
from .waking import child_key
from .work import Work

log = logging.getLogger("lowtide.orchestrate")

__all__ = [
    "MOST_FACTS",
    "Origin",
    "Parent",
    "Past",
    "Started",
    "Wanted",
    "event_key",
    "plain_start",
    "prepare_plain",
    "request_key",
    "start",
    "start_all",
    "start_child",
]


MOST_FACTS: Final = 5000
"""How many facts of its past analytics is told of an execution that takes one over: the newest."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Who waits for a child: the execution, and its command."""

    execution: ExecutionId
    command: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The execution that another one repeats."""

    execution: ExecutionId
    kind: Repeating


@dataclass(frozen=True, slots=True)
class Past:
    """What an execution takes over from its origin: it goes on at ``task`` from ``state``, ``upto`` in its journal.

    ``seed`` names the new execution; ``facts`` are those of the tasks before.
    """

    seed: Seed
    state: State
    upto: int
    task: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """``fresh``: it began now; otherwise its key had started it before. ``order`` is set for the short way."""

    execution: Execution
    fresh: bool
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An execution to be started.

    ``short_way``: the caller takes the dispatch to execute itself; the Broker gets it after so many seconds.
    ``body_digest``: a request with the same key must have the same body. ``echo``: it follows from a lifecycle event.
    ``origin``: the execution that it repeats; ``past``: not from the beginning, and ``given`` says nothing then.
    """

    version: Deployed
    given: JSON
    dedupe: str | None = None
    body_digest: str | None = None
    parent: Parent | None = None
    traceparent: str | None = None
    short_way: float | None = None
    echo: bool = False
    origin: Origin | None = None
    past: Past | None = None


def request_key(key: str) -> str:
    """The dedupe key of a request with an ``Idempotency-Key``."""
    return hashed("request", key)


def event_key(source: str, event_id: str) -> str:
    """The dedupe key of a start by an event."""
    return hashed("event", source, event_id)


async def start(
    work: Work,
    version: Deployed,
    given: JSON,
    now: datetime,
    *,
    dedupe: str | None = None,
    parent: Parent | None = None,
    traceparent: str | None = None,
    echo: bool = False,
) -> Started:
    """Start an execution, once per ``dedupe`` key of the workflow."""
    wanted = Wanted(version, given, dedupe=dedupe, parent=parent, traceparent=traceparent, echo=echo)
    (started,) = await start_all(work, [wanted], now)
    if isinstance(started, LowtideError):
        raise started
    return started


async def start_all(work: Work, wanted: Sequence[Wanted], now: datetime) -> list[Started | LowtideError]:
    """Start executions, each once per ``dedupe`` key of its workflow; what became of each, in this order.

    :class:`lowtide.errors.Conflict` where its key came before with another body, ``LimitReached`` where too many wait
    already, ``InvalidInput`` where an expression of the workflow's limits fails on its input.
    """
    places = [await place_of(work, one.version, one.given, now) for one in wanted]
    if any(places):
        return await _start_in_line(work, wanted, places, now)
    beginnings = [await _beginning(work, one, now) for one in wanted]
    added, _ = await groups.begin(work.tx, beginnings)
    return [await _answer(work, one, begun, added) for one, begun in zip(wanted, beginnings, strict=True)]


async def prepare_plain(work: Work, wanted: Mapping[int, Wanted], now: datetime) -> dict[int, Beginning]:
    """What is to be stored of those that nothing keeps waiting; the plans of all of them are at hand."""
    return {
        number: await _beginning(work, one, now)
        for number, one in wanted.items()
        if await place_of(work, one.version, one.given, now) is None
    }


def plain_start(work: Work, wanted: Wanted, begun: Beginning) -> Started:
    """The answer to one that was stored now, and does not wait."""
    work.after.started += 1
    work.after.send(wanted.short_way)
    return Started(begun.execution, fresh=True, order=_order(begun) if wanted.short_way else None)


async def _start_in_line(
    work: Work, wanted: Sequence[Wanted], places: Sequence[Place | LowtideError | None], now: datetime
) -> list[Started | LowtideError]:
    """As :func:`start_all`, where some have to wait their turn, or are refused."""
    answers: dict[int, Started | LowtideError] = dict(await _refused(work, wanted, places, now))
    entering = [number for number in range(len(wanted)) if number not in answers]
    begun = [await _beginning(work, wanted[number], now, waits=places[number] is not None) for number in entering]
    added, _ = await groups.begin(work.tx, begun) if begun else (set(), None)
    held = []
    for number, one in zip(entering, begun, strict=True):
        place = places[number]
        if isinstance(place, Place) and one.execution.id in added:
            held.append((one.execution, place))
        answers[number] = await _answer(work, wanted[number], one, added, waits=place is not None)
    if held:
        await hold(work, held, now)
    return [answers[number] for number in range(len(wanted))]


async def _refused(
    work: Work, wanted: Sequence[Wanted], places: Sequence[Place | LowtideError | None], now: datetime
) -> dict[int, LowtideError]:
    """Those that do not start, by their number."""
    limited = [
        (index, Start(one.version, place, one.dedupe))
        for index, (one, place) in enumerate(zip(wanted, places, strict=True))
        if place is not None
    ]
    answers = await refusals(work, [start for _, start in limited], now)
    return {index: answer for (index, _), answer in zip(limited, answers, strict=True) if answer is not None}


async def _answer(
    work: Work, wanted: Wanted, begun: Beginning, added: set[ExecutionId], *, waits: bool = False
) -> Started | LowtideError:
    if begun.execution.id not in added:
        return await _earlier(work, begun.execution)
    if waits:
        work.after.started += 1
        return Started(begun.execution, fresh=True)
    return plain_start(work, wanted, begun)


async def _beginning(work: Work, wanted: Wanted, now: datetime, *, waits: bool = False) -> Beginning:
    """``waits``: its dispatch goes nowhere before it is admitted; so it is where its place is a mistake, as its key
    began an execution before."""
    past, origin = wanted.past, wanted.origin
    seed = past.seed if past else _seed(wanted.given, now)
    execution_id = seed.execution
    short_way = None if waits else wanted.short_way
    soon = short_way is not None
    execution = Execution(
        id=execution_id,
        namespace=wanted.version.namespace,
        workflow=wanted.version.name,
        version=wanted.version.version,
        workflow_version=wanted.version.id,
        phase="running" if soon else "pending",
        epoch=1,
        change=1,
        seed=json.encode(seed),
        parent=wanted.parent.execution if wanted.parent else None,
        parent_command=wanted.parent.command if wanted.parent else None,
        dedupe=wanted.dedupe,
        body_digest=wanted.body_digest,
        traceparent=wanted.traceparent,
        created_at=now,
        started_at=now if soon else None,
        echo=wanted.echo,
        state=states.write(past.state, work.terms.snapshot_format) if past else None,
        upto=past.upto if past else 0,
        origin=origin.execution if origin else None,
        origin_kind=origin.kind if origin else None,
        origin_task=past.task if past else None,
    )
    body, digest = await dispatching.compose(work, execution, 1, (), now)
    facts = past.facts[-MOST_FACTS:] if past else ()
    later = None if short_way is None else now + timedelta(seconds=short_way)
    sending = () if waits else (Note("dispatch", execution_id, 1, None, later, execution.namespace),)
    return Beginning(
        execution,
        body,
        digest,
        (*sending, *await notes_of(work, None, execution, now, facts)),
        sent_at=now if soon else None,
        next_try=None if later is None else later + timedelta(seconds=work.terms.lost_after),
    )


def _seed(given: JSON, now: datetime) -> Seed:
    at = millis(now)
    return Seed(execution=chance.new_execution_id(at), input=given, at=at, random=chance.uniform())


def _order(begun: Beginning) -> Order:
    execution = begun.execution
    return Order(
        execution.id, 1, begun.body, begun.digest, execution.namespace, execution.workflow, execution.traceparent
    )


async def _earlier(work: Work, wanted: Execution) -> Started | Conflict:
    found = await executions.by_dedupe(work.tx, wanted.namespace, wanted.workflow, str(wanted.dedupe))
    if found is None:
        return Conflict("the same key is being used at this moment by another request; send this one again")
    if wanted.body_digest is not None and found.body_digest != wanted.body_digest:
        return Conflict(
            f"this Idempotency-Key started execution {found.id} with another body; "
            "use a new key for a new start, or send the same body"
        )
    return Started(found, fresh=False)


async def start_child(work: Work, parent: Execution, command: RunChild, now: datetime) -> None:
    """Start what a ``run: workflow`` asks for, once per command. The parent's row is locked.

    A workflow that does not exist is the child's end, with a configuration error, and so is one that refuses another
    start; nobody waits for a detached one.
    """
    key = hashed("child", parent.id, command.id)
    if command.detached and await removals.remembers(work.tx, command.namespace, command.workflow, key):
        return  # this is told again; whoever nobody waits for may have ended, and be deleted, since
    version, _ = await workflows.find_deployed(work.tx, command.namespace, command.workflow, command.version)
    named = f"{command.namespace}/{command.workflow}" + (f":{command.version}" if command.version else "")
    try:
        if version is not None:
            await start(
                work,
                version,
                command.input,
                now,
                dedupe=key,
                parent=None if command.detached else Parent(parent.id, command.id),
                traceparent=parent.traceparent,
                echo=parent.echo,
            )
            return
        error = standard_error("configuration", f"no workflow {named} is deployed", instance=command.reference)
    except InvalidInput as refused:
        error = standard_error("expression", str(refused), instance=command.reference)
    except LimitReached as refused:
        error = standard_error("runtime", str(refused), instance=command.reference)
    log.warning(
        "execution %s cannot run workflow %s: %s", parent.id, named, error.detail, extra={"execution": parent.id}
    )
    if not command.detached:
        event = ChildEnded(at=millis(now), random=chance.uniform(), command=command.id, execution="", error=error)
        await wakes.insert_wake(work.tx, parent.id, Wake(key=child_key(command.id), event=event), now)
