"""What may go wrong in one world, drawn from its seed.

Not every world has every fault: a fault that happens all the time hides what another one would show, so each seed draws
which kinds it has and how often (swarm testing: Groce et al., ISSTA 2012).
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from lowtide.testing.simulate.process import OUTSIDE, Process

__all__ = ["Faults", "Odds"]


@dataclass
class Odds:
    """How often, per occasion (0 to 1), or how many in a world.

    ``work`` is what execute does: it sends an effect, hears of it, appends to the journal, hears of that.
    """

    crash_before_commit: float = 0.0
    crash_after_commit: float = 0.0
    freeze_at_commit: float = 0.0
    crash_at_work: float = 0.0
    freeze_at_work: float = 0.0
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
            crash_before_commit=rate(0.02),
            crash_after_commit=rate(0.02),
            freeze_at_commit=rate(0.01),
            crash_at_work=rate(0.15),
            freeze_at_work=rate(0.3),
            lose_request=rate(0.05),
            lose_reply=rate(0.05),
            drop=rate(0.05),
            duplicate=rate(0.6),
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

    async def threaten(self, process: Process | None, crash: float, freeze: float) -> None:
        """Here, at this very await, a process may die; or freeze, and go on later as if no time had passed."""
        if process is None:
            return
        if self.happens(crash):
            await process.die()
        if self.happens(freeze):
            process.freeze()
            duration = self.chance.choice((1.0, 8.0, 20.0, 30.0, 40.0))
            asyncio.get_running_loop().call_later(duration, process.thaw, context=OUTSIDE)
            await asyncio.sleep(0)

    def delay(self, usual: float) -> float:
        """Seconds that something takes which usually takes about ``usual``; now and then a thousand times longer."""
        if self.happens(self.odds.slow):
            return usual * 10 ** (3 * self.chance.random())
        return usual * (0.2 + 1.6 * self.chance.random())
