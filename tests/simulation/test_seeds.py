"""Worlds, each from its seed: none breaks a promise.

``LOWTIDE_SEEDS`` says how many (10), ``LOWTIDE_FIRST_SEED`` which is the first (1). One seed
again, in words: ``python -m tests.simulation SEED``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lowtide.testing.simulate.checker import violations
from tests.simulation.running import Simulator, simulator

_COUNT = int(os.environ.get("LOWTIDE_SEEDS", "10"))
_FIRST = int(os.environ.get("LOWTIDE_FIRST_SEED", "1"))
_CHUNK = 10


@pytest.fixture(scope="module")
def simulation() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(_FIRST, _FIRST + _COUNT, _CHUNK))
def test_no_world_breaks_a_promise(simulation: Simulator, first: int) -> None:
    broken = []
    for seed in range(first, min(first + _CHUNK, _FIRST + _COUNT)):
        found = violations(simulation.run(seed))
        broken += [f"seed {seed}: {what}\n  see it again: python -m tests.simulation {seed}" for what in found]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("seed", [2, 6])
def test_a_seed_always_makes_the_same_history(simulation: Simulator, seed: int) -> None:
    once = simulation.run(seed).encoded()
    simulation.run(seed + 1)
    assert simulation.run(seed).encoded() == once
