"""What is told at the end: each order's outcome and timeline, then what all of it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["Fulfilment", "lines_of", "totals"]


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
    return [head, *("       " + " · ".join(map(_told, timeline["items"])) for timeline in fulfilment.timelines)]


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


def _told(row: dict[str, Any]) -> str:
    seconds = _between(row.get("startedAt"), row.get("endedAt"))
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    again = f" ×{row['attempt']}" if row.get("attempt", 1) > 1 else ""
    odd = f" {row['status']}" if row.get("status") != "completed" else ""
    return f"{row['name']} {took}{again}{odd}"


def _between(start: str | None, end: str | None) -> float:
    """Seconds between two ISO 8601 moments; 0 where one is missing."""
    if not (start and end):
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
