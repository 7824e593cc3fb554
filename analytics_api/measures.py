"""What can be asked over time, and which rollups answer it (they are written by ingest)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

from lowtide.errors import InvalidInput

__all__ = ["MEASURES", "Grouping", "Measure", "Name", "Window", "rollup_window", "window_of"]

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


@dataclass(frozen=True, slots=True)
class Measure:
    """``rollups`` whose last segment is a status where ``statuses``; ``unit`` is that of totals and percentiles."""

    rollups: tuple[str, ...]
    unit: str = "ms"
    sketched: bool = True
    statuses: bool = False
    tasks: bool = False


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

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_MOST_STEPS: Final = 10_000
_ORIGIN: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday, at midnight: weeks, days and hours begin where people expect them."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole steps from ``first`` to before ``last``."""

    first: datetime
    last: datetime
    step: timedelta

    @property
    def hourly(self) -> bool:
        """Whether hours are fine enough: there are sixty times fewer of them, and they are kept for longer."""
        return self.step % _HOUR == timedelta()

    @property
    def stored(self) -> bool:
        """Whether each step is stored as it is."""
        return self.step in (_HOUR, _MINUTE)

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


def rollup_window(
    since: datetime | None, until: datetime | None, now: datetime, *, minutes: timedelta, longest: timedelta
) -> tuple[datetime, datetime, Literal["minute", "hour"]]:
    """The whole minutes (of at most ``minutes``) or hours that cover what was asked for; by default the last day.

    Raises :class:`lowtide.errors.InvalidInput` where the window is empty or longer than ``longest``.
    """
    end = until or now
    begin = since or end - timedelta(days=1)
    if begin >= end:
        raise InvalidInput("`from` is not before `to`; swap them, or leave one out")
    if end - begin > longest:
        raise InvalidInput(f"the window is longer than {longest.days} days; ask for it in parts")
    if end - begin <= minutes:
        return _floor(begin, 1), _floor(end + timedelta(minutes=1, microseconds=-1), 1), "minute"
    return _floor(begin, 60), _floor(end + timedelta(hours=1, microseconds=-1), 60), "hour"


def _floor(moment: datetime, minutes: int) -> datetime:
    return moment.replace(minute=moment.minute // minutes * minutes, second=0, microsecond=0)
