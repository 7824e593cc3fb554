"""What all benchmarks share: quantiles, bytecode that is compiled beforehand, and the last line that they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

__all__ = ["quantile", "report", "spread"]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": round(min(values), 1), "median": round(median(values), 1), "max": round(max(values), 1)}


def report(name: str, figures: Mapping[str, Any], ratios: Mapping[str, float], goals: Mapping[str, bool]) -> None:
    """Print the one JSON object that ends every benchmark; exit code 1 where a goal was missed."""
    print(json.dumps({"name": name, "figures": figures, "ratios": ratios, "goals": goals}))
    if not all(goals.values()):
        sys.exit(1)
