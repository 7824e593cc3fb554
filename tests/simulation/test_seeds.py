"""A seed is all that a failure needs to be seen again."""

from __future__ import annotations

import pytest

from tests.simulation.running import Simulator


@pytest.mark.parametrize("seed", [2, 106])
def test_a_seed_always_makes_the_same_history(simulation: Simulator, seed: int) -> None:
    once = simulation.run(seed).encoded()
    simulation.run(seed + 1)
    assert simulation.run(seed).encoded() == once


def test_a_seed_makes_its_history_whatever_was_run_before(simulation: Simulator) -> None:
    once = simulation.run(7).encoded()
    simulation.run(311)
    assert simulation.run(7).encoded() == once
