"""Looks at the rules that are due, one after the other, each in a transaction that locks its row.

Whoever comes meanwhile passes over it, and finds it no longer due: there is one decision, and with it in the same
transaction what is told of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
import psycopg

from lowtide.errors import LowtideError
from lowtide.model.base import Millis
from lowtide.storage.database import Connection

from .core import Change, Memory, Verdict, look
from .desk import Desk
from .reading import MOST_GROUPS, verdicts
from .rules import Rule
from .silences import covers, silences_of
from .states import Group, Subject, datetime_of, forget, id_of, millis_of, record, remember, remembered
from .telling import Told, tell

__all__ = ["end_all", "look_at_due"]

log = logging.getLogger("lowtide.analytics")

_FORGOTTEN: Final = 7 * 86_400_000
"""Milliseconds after which a group that had no data is no longer thought of."""

_HOUR: Final = 3_600_000

_EARLY: Final = 0.8
"""After this share of a rule's rhythm it is due again: ticks are not quite as far apart as they should be."""

# A rule that is due in more than two rhythms was put off by a clock that was wrong.
_DUE: Final = """
SELECT namespace, name, spec, secrets, looked_at, clock_timestamp() FROM alert_rules
 WHERE due_at <= clock_timestamp() OR due_at > clock_timestamp() + every * interval '2 milliseconds'
 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

_LOOKED: Final = """
UPDATE alert_rules
   SET looked_at = coalesce(%(at)s::timestamptz, looked_at), problem = %(problem)s,
       due_at = clock_timestamp() + every * %(early)s * interval '1 millisecond'
 WHERE namespace = %(namespace)s AND name = %(name)s
"""


async def look_at_due(desk: Desk, seconds: float) -> int:
    """How many rules were looked at; what is not done within ``seconds`` is left for the next tick.

    Raises :class:`lowtide.errors.Unavailable`.
    """
    ends = desk.clock.monotonic() + seconds
    done = 0
    while desk.clock.monotonic() < ends and await desk.database.transaction(lambda tx: _one(tx, desk)):
        done += 1
    return done


async def _one(connection: Connection, desk: Desk) -> bool:
    row = await (await connection.execute(_DUE)).fetchone()
    if row is None:
        return False
    namespace, name, spec, secrets, looked, now = row
    values = {"namespace": namespace, "name": name, "early": _EARLY, "at": None, "problem": None}
    try:
        async with connection.transaction():  # of its own: what failed is undone, that it failed is noted
            subject = Subject(namespace, name, Rule.model_validate(spec), secrets, looked, now)
            values["problem"] = await _look(connection, desk, subject)
        values["at"] = now
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except (LowtideError, ValueError) as error:
        log.warning("the alert rule %s of %s cannot be looked at: %s", name, namespace, error)
        values["problem"] = str(error)[:500]
    except Exception:  # a defect of ours must not keep the rules behind this one from being looked at
        log.exception("the alert rule %s of %s cannot be looked at", name, namespace)
        values["problem"] = "looking at it met a defect of this service; its log has the details"
    await connection.execute(_LOOKED, values)
    desk.looked.add()
    return True


async def _look(connection: Connection, desk: Desk, of: Subject) -> str | None:
    """What whoever made the rule should know."""
    memories = await remembered(connection, of)
    until = of.now - timedelta(seconds=desk.delay)
    found = await verdicts(desk.store, of.namespace, of.rule, until, list(memories))
    silences = await silences_of(connection, of.namespace, of.name, of.now)
    at, looked = millis_of(of.now), None if of.looked is None else millis_of(of.looked)
    changed: dict[Group, Memory] = {}
    for group, (verdict, seen) in found.items():
        before = memories.get(group, Memory())
        if seen:
            before = msgspec.structs.replace(before, seen=Millis(at - at % _HOUR))
        gone = bool(of.rule.by) and at - before.seen > _FORGOTTEN
        if gone:
            verdict = Verdict(False, True, None, "there was no data for a week: it is no longer looked at")
        silent = any(covers(silence, of.labels_of(group)) for silence in silences)
        after, changes = look(before, verdict, at, looked, of.rule.terms, silent=silent)
        if "begun" in changes:
            after = msgspec.structs.replace(after, alert=id_of(of, group))
        if changes or after.phase != "ok":
            await _apply(connection, desk, of, group, (before, after), changes, verdict)
        if gone and after.phase == "ok":
            await forget(connection, of, group)
        elif after != memories.get(group):
            changed[group] = after
    await remember(connection, of, changed)
    if sum(seen for _, seen in found.values()) < MOST_GROUPS:
        return None
    return f"there are {MOST_GROUPS} groups or more, and only so many are looked at; choose fewer by filters"


async def _apply(
    connection: Connection,
    desk: Desk,
    of: Subject,
    group: Group,
    memories: tuple[Memory, Memory],
    changes: Sequence[Change],
    verdict: Verdict,
) -> None:
    """What people see, and what they are told."""
    before, after = memories
    alert = after if after.alert is not None else before
    await record(connection, of, group, alert, changes, verdict)
    told = Told(
        alert=alert.alert or "",
        namespace=of.namespace,
        rule=of.name,
        group=of.group_of(group),
        value=verdict.value,
        why=verdict.why,
        since=of.now if alert.since is None else datetime_of(alert.since),
        at=of.now,
    )
    if "told" in changes:
        await tell(connection, "fired", told, of.rule, of.secrets, desk.patience)
    if "resolved" in changes and before.told:
        await tell(connection, "resolved", told, of.rule, of.secrets, desk.patience)


async def end_all(connection: Connection, desk: Desk, of: Subject, why: str) -> None:
    """The rule is gone or asks something else: what fires by it is over, and whoever was told so is told that."""
    for group, memory in (await remembered(connection, of)).items():
        if memory.phase != "ok":
            over: Change = "passed" if memory.phase == "pending" else "resolved"
            await _apply(connection, desk, of, group, (memory, Memory()), [over], Verdict(False, True, None, why))
        await forget(connection, of, group)
