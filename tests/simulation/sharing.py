"""The seeds of a test run, cut into shares: a file each, so that several are run at once.

``LOWTIDE_SEEDS`` says how many seeds (1,000), ``LOWTIDE_FIRST_SEED`` which is the first (0).
One seed again, in words: ``python -m tests.simulation SEED``.
"""

from __future__ import annotations

import os
from typing import Final

from lowtide.testing.simulate.checker import violations
from tests.simulation.running import Simulator

__all__ = ["broken", "chunks"]

_COUNT: Final = int(os.environ.get("LOWTIDE_SEEDS", "1000"))
_FIRST: Final = int(os.environ.get("LOWTIDE_FIRST_SEED", "0"))
_SHARES: Final = 5
_CHUNK: Final = 20


def chunks(share: int) -> list[range]:
    """What the share (from 0) has to run. Its seeds are neighbours, which have their documents in common."""
    first, end = (_FIRST + _COUNT * number // _SHARES for number in (share, share + 1))
    return [range(begin, min(begin + _CHUNK, end)) for begin in range(first, end, _CHUNK)]


def broken(simulation: Simulator, seeds: range) -> str:
    """What is wrong with their worlds, a line for each promise that was broken, and how to see it again."""
    found = ((seed, what) for seed in seeds for what in violations(simulation.run(seed)))
    return "\n".join(f"seed {seed}: {what}\n  see it again: python -m tests.simulation {seed}" for seed, what in found)
