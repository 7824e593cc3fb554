"""What a condition says of numbers, pure. Each gives a :class:`.core.Verdict` with the value, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lowtide.model.duration import write

from .core import Verdict

__all__ = ["WORKBOOK", "Burn", "Pair", "absent", "burning", "past"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows in milliseconds, and how many times faster than allowed the error budget must burn in both."""

    long: int
    short: int
    factor: float


_HOUR: Final = 3_600_000
_MINUTE: Final = 60_000

WORKBOOK: Final = (Pair(_HOUR, 5 * _MINUTE, 14.4), Pair(6 * _HOUR, 30 * _MINUTE, 6.0))
"""What should wake somebody, for an objective over thirty days: 2 % of its budget gone in an hour, 5 % in six
("The Site Reliability Workbook", chapter 5, "Multiwindow, Multi-Burn-Rate Alerts")."""


@dataclass(frozen=True, slots=True)
class Burn:
    """How many were good and bad in a window."""

    good: int
    bad: int

    def rate(self, objective: float) -> float:
        """How many times faster than allowed the budget burns: 1 uses it up just in time."""
        total = self.good + self.bad
        return self.bad / total / (1 - objective) if total else 0.0


def past(value: float | None, above: float | None, below: float | None, resolve: float | None) -> Verdict:
    """Breached above (or below) a limit, cleared at ``resolve`` (by default at the limit) or on its other side."""
    if value is None:
        return Verdict(False, False, None, "there is no value in the window", empty=True)
    if above is not None:
        until = above if resolve is None else resolve
        return Verdict(value > above, value <= until, value, _compared(value, value > above, "above", above, until))
    limit = 0.0 if below is None else below
    until = limit if resolve is None else resolve
    return Verdict(value < limit, value >= until, value, _compared(value, value < limit, "below", limit, until))


def _compared(value: float, breached: bool, side: str, limit: float, until: float) -> str:
    if breached:
        return f"{value:g} is {side} {limit:g}"
    over = value <= until if side == "above" else value >= until
    return f"{value:g} is not {side} {limit:g}" + ("" if over else f", but not back at {until:g} either")


def absent(count: int, window: int) -> Verdict:
    """Breached where nothing happened in ``window`` milliseconds."""
    if count:
        return Verdict(False, True, float(count), f"{count} in the last {write(window)}")
    return Verdict(True, False, 0.0, f"nothing in the last {write(window)}")


def burning(
    found: Sequence[tuple[Pair, Burn, Burn]], objective: float, *, share: float = 1.0, least: int = 1
) -> Verdict:
    """``found``: for each pair what happened in its long and in its short window.

    Breached where the budget burns too fast in both windows of a pair, and ``least`` events are in the long one;
    cleared where in every pair one of the two is at most ``share`` of the factor. The value is the fastest burn that
    both windows of a pair have, in shares of the pair's factor: from 1 on it is too fast.
    """
    if not any(long.good + long.bad for _, long, _ in found):
        return Verdict(False, False, None, "nothing ended in the windows", empty=True)
    rated = [
        (min(long.rate(objective), short.rate(objective)) / pair.factor, pair, long, short)
        for pair, long, short in found
        if long.good + long.bad >= least
    ]
    if not rated:
        return Verdict(False, True, 0.0, f"fewer than {least} ended: too few to judge")
    worst, pair, long, short = max(rated, key=lambda one: one[0])
    why = (
        f"the error budget of {objective:g} burns {long.rate(objective):.1f} times as fast as allowed over "
        f"{write(pair.long)}, {short.rate(objective):.1f} times over {write(pair.short)} (limit {pair.factor:g})"
    )
    return Verdict(worst > 1, worst <= share, worst, why)
