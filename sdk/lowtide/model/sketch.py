"""Percentiles that can be added up: how many values fell into each of many bins, whose width grows with the value.

The bins are those of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019): bin ``k`` holds the values in ``(SMALLEST * G**(k-1), SMALLEST * G**k]``. Two
sketches are merged by adding the counts of equal bins, in any order, which PostgreSQL does by itself under the row's
lock (``merged_sketch``), so that nobody has to read, merge and write.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

__all__ = ["ERROR", "Bins", "bin_of", "merged", "quantile", "quantiles", "value_of"]

ERROR: Final = 0.01
"""A quantile is within this share of a value that is there."""

_SMALLEST: Final = 1e-9
"""What is nearer to zero counts as zero."""

_GROWTH: Final = (1 + ERROR) / (1 - ERROR)
_LOG: Final = math.log(_GROWTH)
_LARGEST: Final = math.log(sys.float_info.max)

Bins: TypeAlias = Mapping[int, int]
"""Bin -> how many values fell into it. Zero has bin 0, negative values have negative bins: bins sort as values do."""


def bin_of(value: float) -> int:
    """Raises ``ValueError`` for what is no finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no bin")
    size = abs(value)
    if size <= _SMALLEST:
        return 0
    # The quotient could overflow, the difference cannot.
    number = max(1, math.ceil((math.log(size) - math.log(_SMALLEST)) / _LOG))
    return number if value > 0 else -number


@lru_cache(maxsize=4096)
def value_of(number: int) -> float:
    """The value that stands for a bin: within :data:`ERROR` of all that are in it."""
    if number == 0:
        return 0.0
    middle = math.exp(min(math.log(_SMALLEST) + abs(number) * _LOG + math.log(2 / (1 + _GROWTH)), _LARGEST))
    return middle if number > 0 else -middle


def merged(*sketches: Bins) -> dict[int, int]:
    """One sketch of all values. Takes as long as the sketches have bins in all, however many they are."""
    bins: dict[int, int] = {}
    for sketch in sketches:
        for number, count in sketch.items():
            bins[number] = bins.get(number, 0) + count
    return bins


def quantile(bins: Bins, share: float) -> float | None:
    """The smallest value with at least ``share`` (0 to 1) of all values at or below it; ``None`` where there is none.

    The nearest rank, as PostgreSQL's ``percentile_disc``, and within :data:`ERROR` of it.
    """
    return quantiles(bins, (share,))[0]


def quantiles(bins: Bins, shares: Sequence[float]) -> list[float | None]:
    """As :func:`quantile`, of shares that grow: in one pass over the bins."""
    if not bins:
        return [None] * len(shares)
    total, seen, number = sum(bins.values()), 0, 0
    counted = iter(sorted(bins.items()))
    found: list[float | None] = []
    for share in shares:
        rank = max(1, math.ceil(share * total))
        while seen < rank:
            number, count = next(counted)
            seen += count
        found.append(value_of(number))
    return found
