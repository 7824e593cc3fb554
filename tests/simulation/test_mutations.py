"""Would the simulator notice? Promises are taken out of the product, one at a time, and soon a seed breaks."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from functions.ingest.appending import Ledger
from functions.ingest.work import Append
from functions.orchestrate.store import lanes
from functions.orchestrate.store.database import Tx
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.driver import Driver
from lowtide.testing.simulate.checker import violations
from lowtide.testing.simulate.faults import Odds
from tests.simulation.running import Simulator

_CRASHES = Odds(crash_at_work=0.15, freeze_at_work=0.1, duplicate=0.3, drop=0.05)
_ZOMBIES = Odds(freeze_at_work=0.4, duplicate=1.0)
_MOST = 40


def first_broken(simulation: Simulator, odds: Odds, first: int) -> set[str]:
    """The rules that the first world breaks which breaks any: each test begins with one that does, as of today."""
    for seed in range(first, first + _MOST):
        if found := violations(simulation.run(seed, odds)):
            return {what.partition(":")[0] for what in found}
    return set()


@pytest.mark.timeout(600)
def test_it_notices_when_commands_start_before_what_led_to_them_is_journaled(
    simulation: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(driver: Driver) -> None:
        """What happened is saved when the epoch is closed."""

    monkeypatch.setattr(Driver, "_save", later)
    assert "a_key_stands_for_one_effect" in first_broken(simulation, _CRASHES, 7)


@pytest.mark.timeout(600)
def test_it_notices_when_slots_that_are_taken_are_not_counted(
    simulation: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(tx: Tx, slots: Collection[str]) -> dict[str, int]:
        return {}

    monkeypatch.setattr(lanes, "count_admitted", none)
    assert first_broken(simulation, Odds(), 69) == {"limits_are_respected"}


@pytest.mark.timeout(600)
def test_it_notices_when_a_robbed_owner_may_still_append(
    simulation: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Ledger.judge

    def lenient(ledger: Ledger, append: Append, owner: str) -> pb.Refusal | None:
        lease = ledger.leases.get(append.execution)
        if lease is not None:
            lease.owner, lease.epoch = owner, append.epoch
        return judge(ledger, append, owner)

    monkeypatch.setattr(Ledger, "judge", lenient)
    assert first_broken(simulation, _ZOMBIES, 31)
