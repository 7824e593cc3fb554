"""Rows of what was found: what is remembered of each group, and the alerts that people see."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from psycopg.types.json import Jsonb

from lowtide.model.base import Millis
from lowtide.storage.database import Connection

from .core import Change, Memory, Verdict
from .rules import Rule

__all__ = ["Group", "Subject", "datetime_of", "forget", "id_of", "millis_of", "record", "remember", "remembered"]

Group = tuple[str, ...]
"""The values of what a rule is grouped by, in its order."""

_IDS: Final = UUID("6a0d0a2c-64d2-5d0c-9f0e-2b7f0c9a8e11")
"""Any: ids of alerts follow from it and from what they are of."""

_REMEMBER: Final = """
INSERT INTO alert_states (namespace, rule, members, memory) VALUES (%s, %s, %s, %s)
ON CONFLICT (namespace, rule, members) DO UPDATE SET memory = excluded.memory
"""

_BEGUN: Final = """
INSERT INTO alerts (id, namespace, rule, members, phase, since, value, why)
VALUES (%(id)s, %(namespace)s, %(rule)s, %(members)s, 'pending', %(at)s, %(value)s, %(why)s)
ON CONFLICT (id) DO NOTHING
"""

_CHANGED: Final = """
UPDATE alerts
   SET phase = %(phase)s, value = %(value)s, why = %(why)s,
       fired_at = CASE WHEN %(fired)s THEN %(at)s ELSE fired_at END,
       told_at = CASE WHEN %(told)s THEN %(at)s ELSE told_at END,
       resolved_at = CASE WHEN %(resolved)s THEN %(at)s ELSE resolved_at END
 WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule whose row is locked, and the moment at which it is looked at."""

    namespace: str
    name: str
    rule: Rule
    secrets: dict[str, str]
    looked: datetime | None
    now: datetime

    def group_of(self, group: Group) -> dict[str, str]:
        return dict(zip(self.rule.by, group, strict=True))

    def labels_of(self, group: Group) -> dict[str, str]:
        """What a silence may name: the group, and what the rule chooses."""
        chosen = {"workflow": self.rule.workflow, "version": self.rule.version, "task": self.rule.task}
        return {name: value for name, value in chosen.items() if value is not None} | self.group_of(group)


async def remembered(connection: Connection, of: Subject) -> dict[Group, Memory]:
    statement = "SELECT members, memory FROM alert_states WHERE namespace = %s AND rule = %s ORDER BY members"
    rows = await (await connection.execute(statement, [of.namespace, of.name])).fetchall()
    return {tuple(json.loads(members)): msgspec.convert(memory, Memory) for members, memory in rows}


async def remember(connection: Connection, of: Subject, memories: Mapping[Group, Memory]) -> None:
    rows = [
        (of.namespace, of.name, _text_of(group), Jsonb(msgspec.to_builtins(memory)))
        for group, memory in memories.items()
    ]
    await connection.cursor().executemany(_REMEMBER, rows)


async def forget(connection: Connection, of: Subject, group: Group) -> None:
    statement = "DELETE FROM alert_states WHERE namespace = %s AND rule = %s AND members = %s"
    await connection.execute(statement, [of.namespace, of.name, _text_of(group)])


async def record(
    connection: Connection, of: Subject, group: Group, memory: Memory, changes: Sequence[Change], verdict: Verdict
) -> None:
    """Bring the row of the alert that ``memory`` names up to date; one that passed without firing has none."""
    values: dict[str, Any] = {"id": memory.alert, "at": of.now, "value": verdict.value, "why": verdict.why}
    if "passed" in changes:
        await connection.execute("DELETE FROM alerts WHERE id = %(id)s", values)
        return
    if "begun" in changes:
        about = {"namespace": of.namespace, "rule": of.name, "members": Jsonb(of.group_of(group))}
        await connection.execute(_BEGUN, values | about)
    marks = {mark: mark in changes for mark in ("fired", "told", "resolved")}
    phase = "resolved" if marks["resolved"] else memory.phase
    await connection.execute(_CHANGED, {**values, **marks, "phase": phase})


def id_of(of: Subject, group: Group) -> str:
    """The id of an alert that begins now: the same, whoever decides it."""
    return str(uuid5(_IDS, json.dumps([of.namespace, of.name, group, millis_of(of.now)])))


def millis_of(moment: datetime) -> Millis:
    return Millis(int(moment.timestamp() * 1000))


def datetime_of(moment: Millis) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def _text_of(group: Group) -> str:
    return json.dumps(group, ensure_ascii=False, separators=(",", ":"))
