"""Would the simulator notice? Promises are taken out of the product, one at a time, and soon a seed breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lowtide.runtime.driver import Driver
from lowtide.testing.simulate.checker import violations
from lowtide.testing.simulate.faults import Odds
from tests.simulation.running import Simulator, simulator

_HARD = Odds(crash_at_work=0.15, freeze_at_work=0.1, duplicate=0.3, drop=0.05)
_MOST = 40


@pytest.fixture(scope="module")
def simulation() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


def first_broken(simulation: Simulator) -> set[str]:
    """The rules that the first world breaks which breaks any."""
    for seed in range(1, _MOST + 1):
        if found := violations(simulation.run(seed, _HARD)):
            return {what.partition(":")[0] for what in found}
    return set()


@pytest.mark.timeout(600)
def test_it_notices_when_commands_start_before_what_led_to_them_is_journaled(
    simulation: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(driver: Driver) -> None:
        """What happened is saved when the epoch is closed."""

    monkeypatch.setattr(Driver, "_save", later)
    assert "a_key_stands_for_one_effect" in first_broken(simulation)
