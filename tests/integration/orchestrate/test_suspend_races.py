"""A suspend that crosses a park, a wake, a cancel, an end: the execution's lock puts them in an order."""

from __future__ import annotations

import pytest

from lowtide.wire.types import DISPATCH, Ended, Extension, Parked, Registered
from tests.eventually import eventually
from tests.integration.orchestrate.test_rule_races import LISTEN, PAID, held_back, in_order
from tests.integration.orchestrate.test_suspending import resume, suspend, waiting
from tests.integration.orchestrate.world import outcome_event, play, world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("suspend_first", [True, False], ids=["suspend, park", "park, suspend"])
async def test_a_suspend_that_crosses_the_park_suspends(control_store: str, suspend_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        sides = [suspend(there, execution), there.post(outcome_event(outcome, str(event.text(Extension.digest))))]
        await in_order(control_store, execution, *(sides if suspend_first else reversed(sides)))
        await there.until(execution, "suspended")
        await there.send(PAID, 1)
        assert (await there.show(execution))["phase"] == "suspended"
        await resume(there, execution)
        await there.until(execution, "completed")
        go.set()


@pytest.mark.parametrize("suspend_first", [True, False], ids=["suspend, wake", "wake, suspend"])
async def test_a_suspend_that_crosses_a_wake_loses_no_event(control_store: str, suspend_first: bool) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        there.broker.paused = True
        sides = [suspend(there, execution), there.send(PAID, "crossing")]
        await in_order(control_store, execution, *(sides if suspend_first else reversed(sides)))
        shown = await there.show(execution)
        assert (shown["phase"], shown["epoch"]) in (
            (("suspended", 1),) if suspend_first else (("suspended", 2), ("running", 2))
        )
        there.broker.paused = False
        await resume(there, execution)
        for event in there.broker.of_type(DISPATCH)[1:]:
            await there.broker.deliver(event)
        assert (await there.until(execution, "completed"))["output"] == ["crossing"]


@pytest.mark.parametrize("suspend_first", [True, False], ids=["suspend, cancel", "cancel, suspend"])
async def test_a_cancel_that_crosses_a_suspend_wins(control_store: str, suspend_first: bool) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        sides = [suspend(there, execution), there.cancel(execution)]
        await in_order(control_store, execution, *(sides if suspend_first else reversed(sides)))
        await there.until(execution, "cancelled")


@pytest.mark.parametrize("suspend_first", [True, False], ids=["suspend, cancel", "cancel, suspend"])
async def test_a_cancel_that_crosses_a_suspend_wins_where_it_runs(control_store: str, suspend_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        sides = [suspend(there, execution), there.cancel(execution)]
        await in_order(control_store, execution, *(sides if suspend_first else reversed(sides)))
        go.set()
        assert (await there.until(execution, "cancelled"))["reason"] == "enough"


@pytest.mark.parametrize("suspend_first", [True, False], ids=["suspend, end", "end, suspend"])
async def test_a_suspend_that_crosses_the_end_changes_nothing(control_store: str, suspend_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed", output=1)
        sides = [suspend(there, execution), there.post(outcome_event(ended, str(event.text(Extension.digest))))]
        await in_order(control_store, execution, *(sides if suspend_first else reversed(sides)))
        assert (await there.show(execution))["phase"] == "completed"
        go.set()


async def test_an_owner_that_reports_while_it_is_to_park_is_told_again(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        await suspend(there, execution)
        registered = Registered(execution=dispatch.execution, epoch=1, commands=outcome.commands)
        await there.post(outcome_event(registered, str(event.text(Extension.digest)), number=1))
        async for attempt in eventually():
            with attempt:
                assert [wake.event for _, _, wake in there.ingest.signals] == [None, None]
        go.set()
