"""What the moments of many orders say: how fast they were taken and done, and when that was as before again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import quantile

__all__ = ["Span", "p99", "recovered"]

_WINDOW: Final = 5.0
"""Seconds over which throughput is looked at."""

_NORMAL: Final = 0.9


@dataclass(frozen=True)
class Span:
    """From ``first`` to before ``last``, in seconds of any one clock."""

    first: float
    last: float

    def of(self, moments: Sequence[float]) -> int:
        """How many of them are in it."""
        return sum(self.first <= moment < self.last for moment in moments)

    def rate(self, moments: Sequence[float]) -> float:
        return self.of(moments) / (self.last - self.first)


def p99(durations: Sequence[float]) -> float:
    """In the unit of ``durations``; not a number where there are none."""
    return quantile(durations, 0.99) if durations else float("nan")


def recovered(ends: Sequence[float], before: Span, back: float, until: float) -> float | None:
    """Seconds after ``back`` from which on as much ends in five seconds as did before, or nearly; ``None``: never."""
    usual = before.rate(ends)
    for after in range(int(until - back - _WINDOW) + 1):
        if Span(back + after, back + after + _WINDOW).rate(ends) >= _NORMAL * usual:
            return float(after)
    return None
