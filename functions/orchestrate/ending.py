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
from .store.groups import Standing
from .waking import outcome_values
from .work import Work

__all__ = ["Reported", "end_plain"]


@dataclass(frozen=True, slots=True)
class Reported:
    """An outcome of execute's; ``digest`` is that of the dispatch that it answers."""

    outcome: Ended
    digest: str


async def end_plain(work: Work, reported: Sequence[Reported]) -> list[bool]:
    """Apply the outcomes that concern nobody else, and say of each whether it was; the rest is left untouched."""
    found, now = await groups.lock(work.tx, {one.outcome.execution for one in reported})
    if now is None:
        return [False] * len(reported)
    standings = await groups.standings(work.tx, found.values())
    ended: dict[str, Execution] = {}
    applied = []
    for one in reported:
        execution = found.get(one.outcome.execution)
        plain = execution is not None and _is_plain(execution, standings[execution.id], one)
        applied.append(plain and one.outcome.execution not in ended)
        if execution is not None and applied[-1]:
            ended[execution.id] = _ended(execution, one.outcome, now)
            forget_state(work, execution)
            forget_dispatch(work, execution, one.digest, standings[execution.id].size)
    if ended:
        notes = [note for id_, after in ended.items() for note in await notes_of(work, found[id_], after, now)]
        for due in await groups.end(work.tx, list(ended.values()), notes):
            work.after.timer(due)
        for execution in ended.values():
            work.after.free(execution)
        work.after.ended.extend(ended.values())
    return applied


def _is_plain(execution: Execution, standing: Standing, reported: Reported) -> bool:
    """Whether it is to be applied, and no parent waits, no child or container ends with it, nothing is told before."""
    outcome = reported.outcome
    return (
        not execution.ended
        and execution.phase != "waiting"
        and execution.epoch == outcome.epoch
        and standing.digest == reported.digest
        and execution.parent is None
        and not standing.has_others
        and outcome.status != "cancelled"
        and not outcome.listened
    )


def _ended(execution: Execution, outcome: Ended, now: datetime) -> Execution:
    values = outcome_values(
        execution, now, outcome.status, output=outcome.output, payload=outcome.payload, error=outcome.error
    )
    return replace(execution, **values, change=execution.change + 1)
