"""Worlds, each from its seed: none breaks a promise. The fifth share; ``sharing`` tells how many seeds, and which."""

from __future__ import annotations

import pytest

from tests.simulation.running import Simulator
from tests.simulation.sharing import broken, chunks


@pytest.mark.seeds
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", chunks(4), ids=lambda seeds: f"{seeds.start}-{seeds[-1]}")
def test_no_world_breaks_a_promise(simulation: Simulator, seeds: range) -> None:
    assert not broken(simulation, seeds)
