"""The timeline of an execution: its facts, folded into one row per entry of a task.

Pure, and independent of the order in which facts arrive (each carries its number), so that the command line, the demo
and anyone who holds facts show the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from lowtide.model.base import JSON, Millis, Noun, iso
from lowtide.model.error import Error
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.usage import Spent

__all__ = ["Attempt", "TaskRow", "Wait", "fold"]

_ENDED: Final[frozenset[TaskStatus]] = frozenset({"skipped", "cancelled", "faulted", "completed"})


class Wait(Noun, frozen=True, kw_only=True):
    """A time in which a task waited: ``over`` is when it went on, ``what`` is as in ``lowtide.engine.waits``."""

    since: Millis
    over: Millis | None = None
    what: dict[str, JSON] = {}


class Attempt(Noun, frozen=True, kw_only=True):
    """One attempt of a ``try`` that was retried; its tasks are entries of their own, whose ``attempt`` is ``number``.

    ``again`` is when the next one was to begin: the delay between is the backoff. An attempt is taken to begin when its
    delay was over.
    """

    number: int
    started: Millis
    ended: Millis | None = None
    error: Error | None = None
    again: Millis | None = None


class TaskRow(Noun, frozen=True, kw_only=True):
    """One entry of one task: ``ended`` is set once its status is final; ``error`` is the last one that it had.

    ``attempt`` is that of the ``try`` around it; ``attempts`` are its own, where it is one and was retried.
    ``keys`` are correlation keys that it resolved; ``spent`` is what its effects took together.
    """

    task: str
    name: str
    reference: str
    kind: str
    status: TaskStatus
    attempt: int
    started: Millis
    ended: Millis | None = None
    error: Error | None = None
    waits: tuple[Wait, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    keys: dict[str, JSON] = {}
    spent: Spent | None = None

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
    ended = last.at if last.status in _ENDED else None
    return TaskRow(
        task=first.task,
        name=first.name,
        reference=first.reference,
        kind=first.kind,
        status=last.status,
        attempt=max(change.attempt for change in changes),
        started=first.at,
        ended=ended,
        error=errors[-1] if errors else None,
        waits=_waits(changes),
        attempts=_attempts(changes, last, ended),
        keys={key: value for change in changes for key, value in change.keys.items()},
        spent=_spent(changes),
    )


def _waits(changes: list[Fact]) -> tuple[Wait, ...]:
    """Each until the change that came next."""
    following = [*(change.at for change in changes[1:]), None]
    return tuple(
        Wait(since=change.at, over=over, what=change.wait or {})
        for change, over in zip(changes, following, strict=True)
        if change.status == "waiting"
    )


def _attempts(changes: list[Fact], last: Fact, ended: Millis | None) -> tuple[Attempt, ...]:
    failed = [change for change in changes if change.status == "retried"]
    attempts: list[Attempt] = []
    started = changes[0].at
    for number, change in enumerate(failed, start=1):
        again = _until(change)
        attempts.append(Attempt(number=number, started=started, ended=change.at, error=change.error, again=again))
        started = change.at if again is None else again
    if failed and ended is not None:
        attempts.append(
            Attempt(number=len(failed) + 1, started=min(started, ended), ended=ended, error=_own_error(last))
        )
    return tuple(attempts)


def _own_error(last: Fact) -> Error | None:
    return last.error if last.status == "faulted" else None


def _until(change: Fact) -> Millis | None:
    """What the fact says of when it is tried again; reports are best effort."""
    try:
        return Millis(round(datetime.fromisoformat(str((change.wait or {})["until"])).timestamp() * 1000))
    except (KeyError, ValueError, OverflowError):
        return None


def _spent(changes: list[Fact]) -> Spent | None:
    spent = [change.spent for change in changes if change.spent is not None]
    if not spent:
        return None
    return Spent(
        duration_ms=spent[-1].duration_ms,
        effect=next((one.effect for one in reversed(spent) if one.effect), ""),
        active_ms=sum(one.active_ms for one in spent),
        bytes_in=sum(one.bytes_in for one in spent),
        bytes_out=sum(one.bytes_out for one in spent),
        input_tokens=sum(one.input_tokens for one in spent),
        output_tokens=sum(one.output_tokens for one in spent),
    )
