"""What is told at the end: each order's outcome and timeline, then what all of it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any, Final

__all__ = ["Fulfilment", "lines_of", "totals"]

_INDENT: Final = " " * 7


@dataclass(frozen=True)
class Fulfilment:
    """One order: its execution as orchestrate tells it; its timeline and its child's, as analytics does."""

    order: str
    how: str
    execution: dict[str, Any]
    timelines: Sequence[dict[str, Any]]

    @property
    def completed(self) -> bool:
        return self.execution.get("phase") == "completed"

    @property
    def seconds(self) -> float:
        """From its creation to its end."""
        return _between(self.execution.get("createdAt"), self.execution.get("endedAt"))

    @property
    def tasks(self) -> int:
        return sum(len(timeline["items"]) for timeline in self.timelines)

    @property
    def active(self) -> float:
        """Seconds that its invocations, and its child's, worked."""
        invocations = (invocation for timeline in self.timelines for invocation in timeline["invocations"])
        return sum(float(invocation["activeMs"]) for invocation in invocations) / 1000


def lines_of(fulfilment: Fulfilment) -> list[str]:
    """``A-001 completed in 14.2 s …`` and below it the tasks with the time that each took."""
    execution = fulfilment.execution
    output, error = execution.get("output") or {}, execution.get("error")
    result = (
        f"{output.get('total'):.2f} paid with {output.get('payment')}, parcel {output.get('tracking')}"
        if output
        else ""
    )
    why = f"{error.get('title')}: {error.get('detail')}" if error else ""
    head = (
        f"{fulfilment.order}  {execution.get('phase')} in {fulfilment.seconds:.1f} s ({fulfilment.how})  {result}{why}"
    )
    told = [" · ".join(map(_told, _entries(timeline["items"]))) for timeline in fulfilment.timelines]
    return [
        head,
        *(line for text in told for line in wrap(text, 112, initial_indent=_INDENT, subsequent_indent=_INDENT)),
    ]


def totals(
    fulfilments: Sequence[Fulfilment], elapsed: float, execute: Sequence[int], rest: dict[str, int]
) -> list[str]:
    """The summary. ``execute`` is how many execute processes there were in turn, ``rest`` who runs at the end."""
    completed = sum(fulfilment.completed for fulfilment in fulfilments)
    executions = sum(len(fulfilment.timelines) for fulfilment in fulfilments)
    active = sum(fulfilment.active for fulfilment in fulfilments)
    lived = sum(fulfilment.seconds for fulfilment in fulfilments)
    share = f", {active / lived:.1%} of it" if lived else ""
    running = ", ".join(f"{name} {count}" for name, count in rest.items() if count) or "no process at all"
    return [
        f"orders      {completed} of {len(fulfilments)} completed, in {elapsed:.1f} s from nothing",
        f"executions  {executions}, children included, of {sum(one.tasks for one in fulfilments)} tasks",
        f"active      {active:.1f} s in the {lived:.1f} s that the orders lived{share}",
        f"execute     {' → '.join(map(str, execute))} processes",
        f"at rest     {running}",
    ]


def _entries(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The entries of each task together, tasks in the order in which they began."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        entries.setdefault(row["reference"], []).append(row)
    return list(entries.values())


def _told(entries: list[dict[str, Any]]) -> str:
    """``reserve 60 ms``, or ``askFraudCheck 62 ms on attempt 3`` where it had failed before."""
    last = entries[-1]
    seconds = _between(last["startedAt"], last["endedAt"])
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    again = f" on attempt {len(entries)}" if len(entries) > 1 else ""
    odd = "" if last["status"] == "completed" else f" {last['status']}"
    return f"{last['name']} {took}{again}{odd}"


def _between(start: str | None, end: str | None) -> float:
    """Seconds between two ISO 8601 moments; 0 where one is missing."""
    if not (start and end):
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
