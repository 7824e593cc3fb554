"""What may go wrong in one world, drawn from its seed.

Not every world has every fault: a fault that happens all the time hides what another one would show, so each seed draws
which kinds it has and how often (swarm testing: Groce et al., ISSTA 2012).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

__all__ = ["Faults", "Odds"]


@dataclass
class Odds:
    """How often, per occasion (0 to 1), or how many in a world."""

    crash_before_commit: float = 0.0
    crash_after_commit: float = 0.0
    crash_at_effect: float = 0.0
    lose_request: float = 0.0
    lose_reply: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    cut: float = 0.0
    slow: float = 0.0
    crashes: int = 0
    freezes: int = 0
    outages: int = 0
    jumps: int = 0
    drains: int = 0

    @classmethod
    def drawn(cls, chance: random.Random) -> Odds:
        """One world in ten has no faults at all; the others have some of them, rarely or often."""
        if chance.random() < 0.1:
            return cls()
        often = chance.choice((0.3, 1.0, 3.0))

        def rate(most: float) -> float:
            return most * often * chance.random() if chance.random() < 0.5 else 0.0

        def count(most: int) -> int:
            return chance.randint(1, most) if chance.random() < 0.5 else 0

        return cls(
            crash_before_commit=rate(0.01),
            crash_after_commit=rate(0.01),
            crash_at_effect=rate(0.1),
            lose_request=rate(0.05),
            lose_reply=rate(0.05),
            drop=rate(0.05),
            duplicate=rate(0.2),
            cut=rate(0.02),
            slow=rate(0.05),
            crashes=count(4),
            freezes=count(3),
            outages=count(2),
            jumps=count(3),
            drains=count(2),
        )


@dataclass
class Faults:
    """Draws what happens. ``stop()``: from now on nothing goes wrong, and what waits can end."""

    chance: random.Random
    odds: Odds
    stopped: bool = False
    down: set[str] = field(default_factory=set)
    """Stores and services that do not answer now."""

    def stop(self) -> None:
        self.stopped = True
        self.down.clear()

    def happens(self, odds: float) -> bool:
        """Whether something that is this likely happens now."""
        return odds > 0.0 and not self.stopped and self.chance.random() < odds

    def delay(self, usual: float) -> float:
        """Seconds that something takes which usually takes about ``usual``; now and then a thousand times longer."""
        if self.happens(self.odds.slow):
            return usual * 10 ** (3 * self.chance.random())
        return usual * (0.2 + 1.6 * self.chance.random())
