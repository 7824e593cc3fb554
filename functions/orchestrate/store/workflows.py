"""Workflows, their versions, and what these may listen for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ..nouns import Deployed, WorkflowVersion
from .database import Tx
from .keys import TYPE_LENGTH
from .limit_tables import gates
from .tables import (
    executions,
    gathered,
    interests,
    namespaces,
    schedules,
    subscriptions,
    workflow_versions,
    workflows,
)

__all__ = [
    "Scheduled",
    "add_version",
    "any_alive",
    "deployed_of",
    "find_deployed",
    "find_version",
    "forget_interests",
    "hide_versions",
    "lock_name",
    "move_gathered",
    "newest_page",
    "plan_of",
    "set_interests",
    "triggers",
    "unschedule",
    "version_of",
    "versions_page",
]

_VERSION = [workflow_versions.c[name] for name in WorkflowVersion.__dataclass_fields__]
_HELD = select(gates.c.namespace).where(
    gates.c.namespace == workflow_versions.c.namespace,
    gates.c.workflow.in_(("", workflow_versions.c.name)),
    or_(gates.c.paused_at.is_not(None), gates.c.ramp.is_not(None)),
)
_LIMITS = select(gates.c.limits).where(
    gates.c.namespace == workflow_versions.c.namespace, gates.c.workflow == workflow_versions.c.name
)
_DEPLOYED = [
    *(workflow_versions.c[name] for name in ("id", "namespace", "name", "version")),
    _HELD.exists(),
    _LIMITS.scalar_subquery(),
]
_SUMMARY = [workflow_versions.c[name] for name in ("id", "namespace", "name", "version", "created_at")]


def _named(namespace: str, name: str) -> Any:
    shown = workflow_versions.c.deleted_at.is_(None)
    return and_(workflow_versions.c.namespace == namespace, workflow_versions.c.name == name, shown)


async def lock_name(tx: Tx, namespace: str, name: str) -> None:
    """One at a time may change what is deployed under this name, or gather events for it. Makes what is missing."""
    await tx.execute(upsert(namespaces).values(name=namespace).on_conflict_do_nothing())
    await tx.execute(upsert(workflows).values(namespace=namespace, name=name).on_conflict_do_nothing())
    mine = and_(workflows.c.namespace == namespace, workflows.c.name == name)
    await tx.execute(select(workflows.c.name).where(mine).with_for_update())


async def find_version(tx: Tx, namespace: str, name: str, version: str | None = None) -> WorkflowVersion | None:
    """The named version, or the one that was deployed last."""
    statement = select(*_VERSION).where(_named(namespace, name))
    if version is not None:
        statement = statement.where(workflow_versions.c.version == version)
    row = (await tx.execute(statement.order_by(workflow_versions.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else WorkflowVersion(*row)


async def find_deployed(
    tx: Tx, namespace: str, name: str, version: str | None = None
) -> tuple[Deployed | None, datetime]:
    """Which version is meant by a start, and the database's time; it is not removed before the transaction ends."""
    statement = select(*_DEPLOYED, func.clock_timestamp()).where(_named(namespace, name))
    if version is not None:
        statement = statement.where(workflow_versions.c.version == version)
    statement = _held(statement.order_by(workflow_versions.c.id.desc()).limit(1))
    row = (await tx.execute(statement)).one_or_none() or (await tx.execute(statement)).one_or_none()
    if row is None:
        now: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
        return None, now
    return Deployed(*row[:-1]), row[-1]


def _held(statement: Select[Any]) -> Select[Any]:
    """Whoever begins an execution of a version holds it: its removal waits, and then sees the execution.

    Where the removal came first, the row is looked at again and is not there; where the newest version was meant, the
    one before it takes another look.
    """
    return statement.with_for_update(read=True, key_share=True)


async def deployed_of(tx: Tx, number: int, *, hold: bool = False) -> Deployed | None:
    """A version that is still shown, by its number; with ``hold`` it is not removed before the transaction ends."""
    shown = and_(workflow_versions.c.id == number, workflow_versions.c.deleted_at.is_(None))
    statement = select(*_DEPLOYED).where(shown)
    row = (await tx.execute(_held(statement) if hold else statement)).one_or_none()
    return None if row is None else Deployed(*row)


async def triggers(tx: Tx, version: Deployed) -> bool:
    """Whether events start this version; until the transaction ends, nobody deploys another one in its place."""
    mine = and_(workflows.c.namespace == version.namespace, workflows.c.name == version.name)
    await tx.execute(select(workflows.c.name).where(mine).with_for_update(read=True))
    found = exists().where(subscriptions.c.workflow_version == version.id)
    return bool((await tx.execute(select(found))).scalar_one())


async def version_of(tx: Tx, number: int) -> WorkflowVersion:
    """One that is there, removed or not."""
    row = (await tx.execute(select(*_VERSION).where(workflow_versions.c.id == number))).one()
    return WorkflowVersion(*row)


async def plan_of(tx: Tx, number: int) -> bytes:
    plan: bytes = (
        await tx.execute(select(workflow_versions.c.plan).where(workflow_versions.c.id == number))
    ).scalar_one()
    return plan


async def add_version(tx: Tx, values: dict[str, Any]) -> tuple[int, datetime]:
    """The number and moment of a new version; the name is locked by the caller."""
    statement = insert(workflow_versions).values(**values)
    row = (await tx.execute(statement.returning(workflow_versions.c.id, workflow_versions.c.created_at))).one()
    return row[0], row[1]


async def newest_page(tx: Tx, namespace: str, after: str | None, limit: int) -> Sequence[Row[Any]]:
    """The newest version of each workflow, by name."""
    shown = and_(workflow_versions.c.namespace == namespace, workflow_versions.c.deleted_at.is_(None))
    newest = select(func.max(workflow_versions.c.id)).where(shown).group_by(workflow_versions.c.name)
    if after is not None:
        newest = newest.where(workflow_versions.c.name > after)
    newest = newest.order_by(workflow_versions.c.name).limit(limit)
    statement = select(*_SUMMARY).where(workflow_versions.c.id.in_(newest)).order_by(workflow_versions.c.name)
    return (await tx.execute(statement)).all()


async def versions_page(tx: Tx, namespace: str, name: str, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """The versions of one workflow, newest first."""
    statement = select(*_SUMMARY).where(_named(namespace, name))
    if before is not None:
        statement = statement.where(workflow_versions.c.id < before)
    return (await tx.execute(statement.order_by(workflow_versions.c.id.desc()).limit(limit))).all()


async def hide_versions(tx: Tx, namespace: str, name: str, version: str | None) -> list[int]:
    """Hide one version or all of them; their numbers. Starts of them that are under way are waited for."""
    mine = _named(namespace, name)
    if version is not None:
        mine = and_(mine, workflow_versions.c.version == version)
    await tx.execute(select(workflow_versions.c.id).where(mine).order_by(workflow_versions.c.id).with_for_update())
    statement = update(workflow_versions).where(mine).values(deleted_at=func.clock_timestamp())
    return list((await tx.execute(statement.returning(workflow_versions.c.id))).scalars())


async def any_alive(tx: Tx, versions: Collection[int]) -> int:
    """How many executions of these versions have not ended."""
    alive = and_(executions.c.workflow_version.in_(versions), executions.c.ended_at.is_(None))
    count: int = (await tx.execute(select(func.count()).select_from(executions).where(alive))).scalar_one()
    return count


async def set_interests(tx: Tx, version: int, namespace: str, types: Collection[str | None]) -> None:
    """What a version may ever listen for, as literal types; ``None``: any type. An empty collection clears."""
    await tx.execute(delete(interests).where(interests.c.workflow_version == version))
    for wanted in types:
        cut = None if wanted is None else wanted[:TYPE_LENGTH]
        await tx.execute(insert(interests).values(workflow_version=version, namespace=namespace, type=cut))


async def forget_interests(tx: Tx) -> None:
    """What removed versions listened for is of no interest once their last execution has ended."""
    alive = exists().where(executions.c.workflow_version == workflow_versions.c.id, executions.c.ended_at.is_(None))
    gone = select(workflow_versions.c.id).where(workflow_versions.c.deleted_at.is_not(None), ~alive)
    await tx.execute(delete(interests).where(interests.c.workflow_version.in_(gone)))


@dataclass(frozen=True, slots=True)
class Scheduled:
    """How a version of a workflow is started: since when by events, and where its schedule stands."""

    workflow_version: int
    since: datetime | None
    due: datetime | None
    running: str | None


async def unschedule(tx: Tx, namespace: str, name: str) -> Scheduled | None:
    """No version of this workflow is started by events or by time any more; which one was, until now."""
    mine = select(workflow_versions.c.id).where(
        workflow_versions.c.namespace == namespace, workflow_versions.c.name == name
    )
    of_time = schedules.c.workflow_version, schedules.c.due, schedules.c.running
    ended = delete(schedules).where(schedules.c.workflow_version.in_(mine)).returning(*of_time)
    timed = (await tx.execute(ended)).first()
    of_events = subscriptions.c.workflow_version, subscriptions.c.since
    dropped = delete(subscriptions).where(subscriptions.c.workflow_version.in_(mine)).returning(*of_events)
    heard = (await tx.execute(dropped)).first()
    if timed is None and heard is None:
        return None
    version = timed[0] if timed is not None else heard[0] if heard is not None else 0
    return Scheduled(
        workflow_version=version,
        since=None if heard is None else heard[1],
        due=None if timed is None else timed[1],
        running=None if timed is None or timed[2] is None else str(timed[2]),
    )


async def move_gathered(tx: Tx, old: int, new: int | None) -> None:
    """What one version has gathered for a start is another one's now; ``None``: nobody's."""
    mine = gathered.c.workflow_version == old
    if new is None:
        await tx.execute(delete(gathered).where(mine))
    else:
        await tx.execute(update(gathered).where(mine).values(workflow_version=new))
