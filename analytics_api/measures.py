"""What can be asked over time, and which rollups answer it (they are written by ingest)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

from lowtide.errors import InvalidInput
from lowtide.model.rollup import by_day

__all__ = ["MEASURES", "Grain", "Grouping", "Measure", "Name", "Window", "window_of"]

Name: TypeAlias = Literal[
    "started",
    "ended",
    "tasks",
    "active",
    "cpu",
    "memory",
    "cost",
    "queueing",
    "cold-starts",
    "effects",
    "input-tokens",
    "output-tokens",
]
Grouping: TypeAlias = Literal["workflow", "version", "status", "task"]
Grain: TypeAlias = Literal["minute", "hour", "day"]


@dataclass(frozen=True, slots=True)
class Measure:
    """``rollups`` whose last segment is a status where ``statuses``; ``unit`` is that of totals and percentiles."""

    rollups: tuple[str, ...]
    unit: str = "ms"
    sketched: bool = True
    statuses: bool = False
    tasks: bool = False

    @property
    def by_day(self) -> bool:
        return all(map(by_day, self.rollups))


_ENDS: Final = ("completed", "faulted", "cancelled")

MEASURES: Final[dict[Name, Measure]] = {
    "started": Measure(("executions.created",), "", sketched=False),
    "ended": Measure(tuple(f"executions.{status}" for status in _ENDS), statuses=True),
    "tasks": Measure(tuple(f"tasks.{status}" for status in (*_ENDS, "retried", "skipped")), statuses=True, tasks=True),
    "active": Measure(("invocations.active_ms",)),
    "cpu": Measure(("invocations.cpu_ms",)),
    "memory": Measure(("invocations.memory_bytes",), "bytes"),
    "cost": Measure(("invocations.gb_seconds",), "GB-s", sketched=False),
    "queueing": Measure(("invocations.queueing_ms",)),
    "cold-starts": Measure(("invocations.cold_start_ms",)),
    "input-tokens": Measure(("invocations.input_tokens",), "tokens", sketched=False),
    "output-tokens": Measure(("invocations.output_tokens",), "tokens", sketched=False),
    "effects": Measure(("invocations.effects",), "effects", sketched=False),
}
assert set(MEASURES) == set(get_args(Name))

_LENGTHS: Final[dict[Grain, timedelta]] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_MOST_STEPS: Final = 10_000
_ORIGIN: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday, at midnight: weeks, days and hours begin where people expect them."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole steps from ``first`` to before ``last``."""

    first: datetime
    last: datetime
    step: timedelta

    def grain(self, measure: Measure) -> Grain:
        """The coarsest that is fine enough: the coarser, the fewer rows there are, and the longer they are kept."""
        if measure.by_day and self.step % _LENGTHS["day"] == timedelta():
            return "day"
        return "hour" if self.step % _LENGTHS["hour"] == timedelta() else "minute"

    def stored(self, grain: Grain) -> bool:
        """Whether each step is stored as it is."""
        return self.step == _LENGTHS[grain]

    @property
    def origin(self) -> datetime:
        return _ORIGIN


def window_of(since: datetime | None, until: datetime | None, step: timedelta, now: datetime) -> Window:
    """The whole steps that cover what was asked for; by default the last sixty.

    Raises :class:`lowtide.errors.InvalidInput` where there is none, or more than ten thousand.
    """
    last = _ORIGIN - ((_ORIGIN - (until or now)) // step) * step
    first = last - 60 * step if since is None else _ORIGIN + ((since - _ORIGIN) // step) * step
    if first >= last:
        raise InvalidInput("`from` is not before `to`; swap them, or leave one out")
    if (last - first) / step > _MOST_STEPS:
        raise InvalidInput(f"the window has more than {_MOST_STEPS} steps; take a longer `step`, or ask for less of it")
    return Window(first, last, step)
