"""Where one execution stands, for people: its wakes, timers, listeners, children, containers and its way to execute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from lowtide.model.event import Event

from ..nouns import Dispatched, Execution
from .asks import Asked, open_of
from .database import Tx
from .executions import dispatch_of
from .tables import containers, executions, inbox, outbox, subscriptions, timers
from .wakes import EVENT

__all__ = ["Arrived", "Child", "Standing", "standing_of"]


@dataclass(frozen=True, slots=True)
class Child:
    """What another one is about: ``name`` is an execution and its workflow, or a container."""

    name: str
    phase: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A wake that no snapshot contains."""

    key: str
    event: Event
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """``due``, ``listening`` (since when), ``children``, ``containers`` and ``asks`` are by command. ``sending``: when
    the outbox sends its dispatch, and how often it has tried."""

    wakes: tuple[Arrived, ...]
    due: dict[str, datetime]
    listening: dict[str, datetime]
    children: dict[str, Child]
    containers: dict[str, Child]
    asks: dict[str, Asked]
    dispatch: Dispatched | None
    sending: tuple[datetime, int] | None


async def standing_of(tx: Tx, execution: Execution) -> Standing:
    arrived = await tx.execute(
        select(inbox.c.key, inbox.c.event, inbox.c.at).where(inbox.c.execution == execution.id).order_by(inbox.c.id)
    )
    due = await tx.execute(select(timers.c.command, timers.c.due).where(timers.c.execution == execution.id))
    listening = await tx.execute(
        select(subscriptions.c.command, subscriptions.c.since).where(subscriptions.c.execution == execution.id)
    )
    children = await tx.execute(
        select(executions.c.parent_command, executions.c.id, executions.c.workflow, executions.c.phase).where(
            executions.c.parent == execution.id
        )
    )
    held = await tx.execute(
        select(containers.c.command, containers.c.id, containers.c.phase).where(containers.c.execution == execution.id)
    )
    mine = (outbox.c.execution == execution.id) & (outbox.c.kind == "dispatch")
    sending = (await tx.execute(select(outbox.c.not_before, outbox.c.attempts).where(mine))).first()
    return Standing(
        wakes=tuple(Arrived(row[0], EVENT.decode(row[1]), row[2]) for row in arrived),
        due={row[0]: row[1] for row in due},
        listening={row[0]: row[1] for row in listening},
        children={row[0]: Child(f"{row[1]} of workflow {row[2]}", row[3]) for row in children},
        containers={row[0]: Child(row[1], row[2]) for row in held},
        asks={command: row for row in await open_of(tx, execution.id) for command in row.commands},
        dispatch=await dispatch_of(tx, execution.id, execution.epoch),
        sending=None if sending is None else (sending[0], sending[1]),
    )
