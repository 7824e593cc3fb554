"""What is added up by day, beside by minute and hour: what ingest writes so, and the analytics API may read so.

Days are for what is asked of long windows: what ended and how long it took, tasks, and what was spent.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SPENT", "by_day", "sketched_by_day"]

SPENT: Final = tuple(
    f"invocations.{name}"
    for name in ("active_ms", "cold_start_ms", "cpu_ms", "gb_seconds", "input_tokens", "output_tokens")
)
"""The measures that a price is made of."""

_WHOLE: Final = ("executions.", "tasks.", "effects.")


def by_day(measure: str) -> bool:
    return measure in SPENT or measure.startswith(_WHOLE)


def sketched_by_day(measure: str) -> bool:
    """Whether its days have percentiles. Of effects nobody asks for any: the time that all took is what they cost."""
    return by_day(measure) and not measure.startswith("effects.")
