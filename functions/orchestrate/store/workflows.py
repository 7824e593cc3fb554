"""Workflows, their versions, and what these may listen for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ..nouns import Deployed, WorkflowVersion
from .database import Tx
from .keys import TYPE_LENGTH
from .limit_tables import gates
from .tables import executions, interests, namespaces, schedules, subscriptions, workflow_versions, workflows

__all__ = [
    "add_version",
    "any_alive",
    "deployed_of",
    "find_deployed",
    "find_version",
    "hide_versions",
    "lock_name",
    "newest_page",
    "plan_of",
    "set_interests",
    "unschedule",
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
    """Which version is meant by a start, and the database's time."""
    statement = select(*_DEPLOYED, func.clock_timestamp()).where(_named(namespace, name))
    if version is not None:
        statement = statement.where(workflow_versions.c.version == version)
    row = (await tx.execute(statement.order_by(workflow_versions.c.id.desc()).limit(1))).one_or_none()
    if row is None:
        now: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
        return None, now
    return Deployed(*row[:-1]), row[-1]


async def deployed_of(tx: Tx, number: int) -> Deployed | None:
    """A version that is still shown, by its number."""
    shown = and_(workflow_versions.c.id == number, workflow_versions.c.deleted_at.is_(None))
    row = (await tx.execute(select(*_DEPLOYED).where(shown))).one_or_none()
    return None if row is None else Deployed(*row)


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
    """Hide one version or all of them; their numbers."""
    mine = _named(namespace, name)
    if version is not None:
        mine = and_(mine, workflow_versions.c.version == version)
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


async def unschedule(tx: Tx, namespace: str, name: str) -> None:
    """No version of this workflow is started by events or by time any more."""
    mine = select(workflow_versions.c.id).where(
        workflow_versions.c.namespace == namespace, workflow_versions.c.name == name
    )
    await tx.execute(delete(subscriptions).where(subscriptions.c.workflow_version.in_(mine)))
    await tx.execute(delete(schedules).where(schedules.c.workflow_version.in_(mine)))
