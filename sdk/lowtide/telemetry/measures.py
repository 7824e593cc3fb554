"""Numbers that a process keeps of itself. Counting is an addition; whoever reads pays for the rest.

The names and their meanings are listed in ``docs/observability.md``, which a test holds against what is exposed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["SECONDS", "Count", "Labels", "Measure", "Reading", "Spread"]

Labels: TypeAlias = tuple[str, ...]
"""The values of a measure's labels, in the order of their names."""

SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 240.0)
"""Bounds that fit what takes between a commit and a whole invocation."""


class Count:
    """What only grows. Label values come from small fixed sets, never from what users name."""

    def __init__(self, name: str, about: str, labels: Labels = ()) -> None:
        self.name: Final = name
        self.about: Final = about
        self.labels: Final = labels
        self.values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *labels: str, by: float = 1.0) -> None:
        self.values[labels] = self.values.get(labels, 0.0) + by


class Spread:
    """How values are spread; ``bounds`` are inclusive upper limits of the buckets, in ascending order."""

    def __init__(self, name: str, about: str, labels: Labels = (), bounds: tuple[float, ...] = SECONDS) -> None:
        self.name: Final = name
        self.about: Final = about
        self.labels: Final = labels
        self.bounds: Final = bounds
        self.sums: dict[Labels, float] = {}
        self.buckets: dict[Labels, list[int]] = {}

    def see(self, value: float, *labels: str) -> None:
        buckets = self.buckets.get(labels)
        if buckets is None:
            buckets = self.buckets[labels] = [0] * (len(self.bounds) + 1)
        buckets[bisect_left(self.bounds, value)] += 1
        self.sums[labels] = self.sums.get(labels, 0.0) + value


@dataclass(frozen=True)
class Reading:
    """What somebody else keeps, read when it is asked for: one number, or one for each combination of labels."""

    name: str
    about: str
    read: Callable[[], float | Iterable[tuple[Labels, float]]]
    labels: Labels = ()
    kind: Literal["counter", "gauge"] = "gauge"


Measure: TypeAlias = Count | Spread | Reading
