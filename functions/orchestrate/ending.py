"""Ends, many at once, of executions whose end concerns nobody else; the others end one by one, in ``outcomes``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lowtide.wire.types import Ended

from .changing import notes_of
from .nouns import Execution
from .states import forget_dispatch, forget_state
from .store import groups
from .store.groups import Ending
from .waking import outcome_values
from .work import Desk

__all__ = ["Reported", "end_plain"]


@dataclass(frozen=True, slots=True)
class Reported:
    """An outcome of execute's; ``digest`` is that of the dispatch that it answers. ``begun``: the execution as this
    process began it, where it did so a moment ago."""

    outcome: Ended
    digest: str
    begun: Execution | None = None


async def end_plain(desk: Desk, reported: Sequence[Reported]) -> list[bool]:
    """Apply the outcomes that concern nobody else, and say of each whether it was; the rest is left untouched.

    What is to be stored is made ready from an execution as it was begun or read; it is stored where that is still so.
    """
    found, now = await _known(desk, reported)
    if now is None:
        return [False] * len(reported)
    plain: dict[str, tuple[Reported, Execution]] = {}
    for one in reported:
        execution = found.get(one.outcome.execution)
        if execution is not None and _is_plain(execution, one) and desk.plans.at_hand(execution.workflow_version):
            plain.setdefault(execution.id, (one, _ended(execution, one.outcome, now)))
    if not plain:
        return [False] * len(reported)
    work = desk.prepare()
    notes = [note for id_, (_, after) in plain.items() for note in await notes_of(work, found[id_], after, now)]
    endings = [Ending(after, one.digest) for one, after in plain.values()]
    done = await desk.database.alone(lambda connection: groups.end(connection, endings, notes))
    for id_, of in done.items():
        one, after = plain[id_]
        forget_state(work, found[id_])
        forget_dispatch(work, found[id_], one.digest, of.size)
        work.after.free(after)
        work.after.ended.append(after)
        if of.next_due is not None:
            work.after.timer(of.next_due)
    desk.afterwards(work.after)
    return [id_ in done and plain[id_][0] is one for one in reported for id_ in (one.outcome.execution,)]


async def _known(desk: Desk, reported: Sequence[Reported]) -> tuple[dict[str, Execution], datetime | None]:
    """The executions by id, and the database's time: from the store, unless this process has just begun all of them."""
    begun: dict[str, Execution] = {one.begun.id: one.begun for one in reported if one.begun is not None}
    now = desk.database.lately.now()
    if now is not None and all(one.outcome.execution in begun for one in reported):
        return begun, max(now, *(execution.created_at for execution in begun.values()))
    found, now = await desk.database.alone(
        lambda connection: groups.read(connection, {one.outcome.execution for one in reported})
    )
    if now is not None:
        desk.database.lately.heard(now)
    return found, now


def _is_plain(execution: Execution, reported: Reported) -> bool:
    """Whether it is to be applied, no parent waits, and nothing is told before; what others may have added is looked at
    when it is stored."""
    outcome = reported.outcome
    return (
        not execution.ended
        and execution.phase != "waiting"
        and execution.epoch == outcome.epoch
        and execution.parent is None
        and outcome.status != "cancelled"
        and not outcome.listened
    )


def _ended(execution: Execution, outcome: Ended, now: datetime) -> Execution:
    values = outcome_values(
        execution, now, outcome.status, output=outcome.output, payload=outcome.payload, error=outcome.error
    )
    return replace(execution, **values, change=execution.change + 1)
