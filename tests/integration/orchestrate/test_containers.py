"""Containers: started after the commit, seen to end from zero, told to the execution once, ended with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from lowtide.model.base import ExecutionId
from lowtide.model.container import Order, Seen
from lowtide.testing.containers import FakeContainers, Ran
from lowtide.wire.types import Parked, Registered
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, outcome_event, world

pytestmark = pytest.mark.anyio

RUN = document("- work: {run: {container: {image: job}}}")
LONG: dict[str, Ran | None] = {"job": None}


def containers(images: dict[str, Ran | None]) -> FakeContainers:
    return FakeContainers(dict(images))


async def one(there: FakeContainers) -> str:
    """The id of the container that runs."""
    async for attempt in eventually():
        with attempt:
            assert len(there.there) == 1
    return there.there[0]


async def rows(there: World) -> list[Any]:
    async def read(tx: Any) -> list[Any]:
        return list(await tx.execute(text("SELECT phase FROM containers")))

    return [row.phase for row in await there.service.desk.database.run(read)]


async def phases(there: World, expected: list[str]) -> None:
    async for attempt in eventually():
        with attempt:
            assert await rows(there) == expected


async def test_an_execution_waits_for_its_container_and_takes_what_it_printed(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        container = await one(fake)
        shown = await there.until(started["id"], "waiting")
        assert shown["waitingFor"][0] | {"command": ""} == {"command": "", "kind": "container", "image": "job"}
        fake.finish(container, Ran(0, "done\n"))
        assert (await there.until(started["id"], "completed"))["output"] == "done\n"
        await phases(there, ["done"])
        assert not fake.there


async def test_an_exit_code_is_the_tasks_error(control_store: str) -> None:
    async with world(control_store, containers=containers({"job": Ran(3, "", "why")})) as there:
        await there.deploy(RUN)
        started = await there.start()
        error = (await there.until(started["id"], "faulted"))["error"]
        assert error["type"].endswith("/runtime")
        assert error["detail"] == "the container ended with exit code 3: why"


async def test_an_image_that_nobody_gives_is_the_tasks_error(control_store: str) -> None:
    async with world(control_store, containers=containers({})) as there:
        await there.deploy(RUN)
        started = await there.start()
        assert (await there.until(started["id"], "faulted"))["error"]["type"].endswith("/communication")


async def test_without_permission_nothing_is_started(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(RUN)
        started = await there.start()
        error = (await there.until(started["id"], "faulted"))["error"]
        assert error["status"] == 403
        assert "LOWTIDE_ALLOW_CONTAINER" in error["detail"]


async def test_a_container_that_is_stuck_in_its_start_is_given_up(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake, container_start=0.5) as there:
        await there.deploy(RUN)
        started = await there.start()
        fake.show(await one(fake), Seen("starting", problem="ImagePullBackOff: no such image"))
        error = (await there.until(started["id"], "faulted", 20))["error"]
        assert "ImagePullBackOff" in error["detail"]
        await phases(there, ["done"])
        assert not fake.there


async def test_a_container_that_vanishes_is_the_tasks_error(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        fake.vanish(await one(fake))
        assert "nothing is left" in (await there.until(started["id"], "faulted"))["error"]["detail"]


async def test_a_container_that_takes_too_long_is_ended(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake, container_seconds=0.5) as there:
        await there.deploy(RUN)
        started = await there.start()
        assert (await there.until(started["id"], "faulted", 20))["error"]["status"] == 408
        await phases(there, ["done"])
        assert not fake.there


async def test_a_runtime_that_is_down_is_asked_again(control_store: str) -> None:
    fake = containers({"job": Ran(0, "late\n")})
    fake.down = True
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        await phases(there, ["wanted"])
        fake.down = False
        assert (await there.until(started["id"], "completed", 20))["output"] == "late\n"


async def test_a_runtime_that_stays_down_is_the_tasks_error(control_store: str) -> None:
    fake = containers(LONG)
    fake.down = True
    async with world(control_store, containers=fake, container_start=0.5) as there:
        await there.deploy(RUN)
        started = await there.start()
        error = (await there.until(started["id"], "faulted", 20))["error"]
        assert (error["status"], error["type"].rpartition("/")[2]) == (503, "communication")


async def test_containers_end_with_a_cancel(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        container = await one(fake)
        await there.until(started["id"], "waiting")
        assert (await there.cancel(started["id"])).status_code == 202
        await phases(there, ["done"])
        assert fake.ended == [container]
        assert (await there.show(started["id"]))["phase"] == "cancelled"


async def test_the_loser_of_a_race_and_what_a_fault_leaves_are_ended(control_store: str) -> None:
    fake = containers(LONG)
    run = "{slow: {run: {container: {image: job}}}}"
    async with world(control_store, containers=fake) as there:
        race = (
            f"- race: {{fork: {{compete: true, branches: [{run}, {{quick: {{wait: PT1S}}}}]}}}}\n- nap: {{wait: PT1H}}"
        )
        await there.deploy(document(race))
        started = await there.start()
        await one(fake)
        await phases(there, ["done"])
        assert (await there.show(started["id"]))["phase"] == "waiting"

        fault = "{raise: {error: {type: 'https://e.com/no', status: 418}}}"
        both = f"[{run}, {{no: {{do: [{{nap: {{wait: PT1S}}}}, {{no: {fault}}}]}}}}]"
        await there.deploy(document(f"- both: {{fork: {{branches: {both}}}}}", name="faults"))
        started = await there.start(name="faults")
        await there.until(started["id"], "faulted")
        await phases(there, ["done", "done"])
        assert not fake.there


async def test_a_timeout_of_the_task_ends_its_container(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(document("- work: {timeout: {after: PT1S}, run: {container: {image: job}}}"))
        started = await there.start()
        await one(fake)
        assert (await there.until(started["id"], "faulted"))["error"]["status"] == 408
        await phases(there, ["done"])
        assert not fake.there


async def test_what_is_to_stay_stays_and_what_is_to_go_later_goes_later(control_store: str) -> None:
    fake = containers({"job": Ran()})
    run = "{{run: {{container: {{image: job, lifetime: {lifetime}}}}}}}"
    async with world(control_store, containers=fake) as there:
        never, soon = run.format(lifetime="{cleanup: never}"), run.format(lifetime="{cleanup: eventually, after: PT2S}")
        await there.deploy(document(f"- a: {never}\n- b: {soon}"))
        started = await there.start()
        await there.until(started["id"], "completed")
        assert len(fake.there) == 2
        await phases(there, ["done", "done"])
        assert len(fake.there) == 1


# ---------------------------------------------------------------- crashes, duplicates, two at once


class Dying(FakeContainers):
    """Its first start begins the container, and then the process is gone."""

    async def start(self, order: Order) -> None:
        await super().start(order)
        if len(self.starts) == 1:
            await asyncio.Event().wait()


async def test_a_crash_between_start_and_note_starts_nothing_twice(control_store: str) -> None:
    fake = Dying({"job": Ran(0, "once\n")})
    async with world(control_store, containers=fake, shutdown_grace=0.1) as there:
        await there.deploy(RUN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        await one(fake)
    async with world(control_store, containers=fake) as there:
        await there.service.desk.database.run(lambda tx: tx.execute(text("UPDATE containers SET due = now()")))
        await there.tick()
        assert (await there.until(started["id"], "completed"))["output"] == "once\n"
        assert len(fake.starts) == 2
        assert len(fake.orders) == 1


async def test_a_container_outlives_the_process_that_started_it(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        container = await one(fake)
        await phases(there, ["running"])
        await there.until(started["id"], "waiting")
    fake.finish(container, Ran(0, "meanwhile\n"))
    async with world(control_store, containers=fake) as there:
        await there.tick()
        assert (await there.until(started["id"], "completed"))["output"] == "meanwhile\n"


async def test_a_tick_stays_while_a_container_lives_and_no_longer(control_store: str) -> None:
    fake = containers(LONG)
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        started = await there.start()
        container = await one(fake)
        ticking = asyncio.ensure_future(there.tick())
        done, _ = await asyncio.wait({ticking}, timeout=1.0)
        assert not done
        fake.finish(container, Ran())
        assert (await ticking).status_code == 202
        await there.until(started["id"], "completed")


async def test_two_orchestrates_and_many_ticks_tell_an_end_once(control_store: str) -> None:
    fake = containers({"job": Ran(0, "x")})
    many = "\n".join(f"- run{number}: {{run: {{container: {{image: job}}}}}}" for number in range(3))
    async with world(control_store, containers=fake) as there, world(control_store, containers=fake) as other:
        await there.deploy(document(many))
        started = [await there.start() for _ in range(4)]
        await asyncio.gather(*(one.tick() for one in (there, other, there, other)))
        for execution in started:
            await there.until(execution["id"], "completed", 30)
        assert len(fake.orders) == 12
        assert sorted(fake.starts) == sorted(set(fake.starts)), "none was started twice"
        assert all(len({dispatch.epoch for dispatch in there.execute.of(e["id"])}) <= 4 for e in started)


async def test_a_report_that_comes_twice_starts_one_container(control_store: str) -> None:
    fake = containers({"job": Ran(0, "x")})
    async with world(control_store, containers=fake) as there:
        await there.deploy(document("- work: {run: {container: {image: job}, await: false}}"))
        plain = there.execute.answer
        reports = []

        async def answer(execute: Any, dispatch: Any) -> Any:
            parked = await plain(execute, dispatch)
            assert isinstance(parked, Parked)
            commands = parked.commands
            registered = Registered(execution=dispatch.execution, epoch=dispatch.epoch, commands=commands)
            reports.append(registered)
            return 503

        there.execute.answer = answer
        started = await there.start()
        async for attempt in eventually():
            with attempt:
                assert reports
        digest = str(there.execute.taken[0][0].text("lowtidedigest"))
        for number in (1, 1, 2):
            assert (await there.post(outcome_event(reports[0], digest, number=number))).status_code == 202
        await phases(there, ["done"])
        await there.post(outcome_event(reports[0], digest, number=1))
        await there.tick()
        assert len(fake.starts) == 1
        assert ExecutionId(started["id"]) == fake.orders[fake.starts[0]].execution


async def test_an_end_that_comes_while_the_execution_runs_is_signalled_and_kept(control_store: str) -> None:
    fake = containers({"job": Ran(0, "x")})
    async with world(control_store, containers=fake) as there:
        await there.deploy(RUN)
        plain = there.execute.answer

        async def answer(execute: Any, dispatch: Any) -> Any:
            result = await plain(execute, dispatch)
            if dispatch.epoch > 1 or not isinstance(result, Parked):
                return result
            registered = Registered(execution=dispatch.execution, epoch=1, commands=result.commands)
            digest = str(execute.taken[0][0].text("lowtidedigest"))
            await there.post(outcome_event(registered, digest, number=1))
            async for attempt in eventually():
                with attempt:
                    assert there.ingest.signals
            return result

        there.execute.answer = answer
        started = await there.start()
        assert (await there.until(started["id"], "completed"))["output"] == "x"
        ((execution, epoch, wake),) = there.ingest.signals
        assert (execution, epoch, wake.key[:10]) == (started["id"], 1, "container:")
        assert len(fake.starts) == 1


class Refusing(FakeContainers):
    async def start(self, order: Order) -> None:
        raise AssertionError("nobody wants it any more")


async def test_a_container_that_was_cancelled_before_its_start_never_starts(control_store: str) -> None:
    fake = Refusing()
    async with world(control_store, containers=fake) as there:
        there.service.caretaker.kick = lambda: None  # type: ignore[method-assign]
        await there.deploy(RUN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        await there.cancel(started["id"])
    async with world(control_store, containers=fake) as there:
        await there.tick()
        await phases(there, ["done"])
        assert len(fake.ended) == 1
