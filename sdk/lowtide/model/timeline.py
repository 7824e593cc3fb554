"""The timeline of an execution: its facts, folded into one row per entry of a task.

Pure, and independent of the order in which facts arrive (each carries its number), so that the command line, the demo
and anyone who holds facts show the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lowtide.model.base import JSON, Millis, Noun, iso
from lowtide.model.error import Error
from lowtide.model.fact import Fact, TaskStatus

__all__ = ["TaskRow", "fold"]

_ENDED: Final[frozenset[TaskStatus]] = frozenset({"skipped", "cancelled", "faulted", "completed"})


class TaskRow(Noun, frozen=True, kw_only=True):
    """One entry of one task: ``ended`` is set once its status is final; ``error`` is the last one that it had."""

    task: str
    name: str
    reference: str
    kind: str
    status: TaskStatus
    attempt: int
    started: Millis
    ended: Millis | None = None
    error: Error | None = None

    def as_json(self) -> dict[str, JSON]:
        """The form that ``lowtide run --json`` prints; times are ISO 8601, UTC, milliseconds."""
        return {
            "name": self.name,
            "reference": self.reference,
            "status": self.status,
            "attempt": self.attempt,
            "startedAt": iso(self.started),
            "endedAt": None if self.ended is None else iso(self.ended),
        }


def fold(facts: Iterable[Fact]) -> tuple[TaskRow, ...]:
    """One row per entry of a task, in the order in which the entries began. Facts given twice count once."""
    by_task: dict[str, dict[int, Fact]] = {}
    for fact in sorted(facts, key=lambda fact: fact.number):
        by_task.setdefault(fact.task, {})[fact.number] = fact
    return tuple(_row(list(changes.values())) for changes in by_task.values())


def _row(changes: list[Fact]) -> TaskRow:
    """The first end stays: who cancels an execution whose last turns it does not know may cancel what had ended."""
    first, last = changes[0], next((change for change in changes if change.status in _ENDED), changes[-1])
    errors = [change.error for change in changes if change.error is not None]
    return TaskRow(
        task=first.task,
        name=first.name,
        reference=first.reference,
        kind=first.kind,
        status=last.status,
        attempt=max(change.attempt for change in changes),
        started=first.at,
        ended=last.at if last.status in _ENDED else None,
        error=errors[-1] if errors else None,
    )
