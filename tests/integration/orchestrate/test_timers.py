"""Timers from zero: claimed, held, fired on time, by whichever process is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from functions.orchestrate.nouns import Execution
from functions.orchestrate.store import wakes
from functions.orchestrate.store.database import Tx
from lowtide.wire.types import DISPATCH, TICK
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio


def nap(**duration: int) -> str:
    given = ", ".join(f"{unit}: {count}" for unit, count in duration.items())
    return document(f"- nap: {{wait: {{{given}}}}}\n- done: {{set: {{woken: true}}}}")


async def due_in(there: World, seconds: float) -> None:
    statement = text(f"UPDATE timers SET due = clock_timestamp() + interval '{seconds} s'")
    await there.service.desk.database.run(lambda tx: tx.execute(statement))


async def claimed(there: World) -> int:
    """How many timers somebody holds."""
    claims = text("SELECT count(*) FROM timers WHERE claimed_until IS NOT NULL")
    count: int = (await there.service.desk.database.run(lambda tx: tx.execute(claims))).scalar_one()
    return count


async def test_a_short_wait_asks_for_a_tick_and_ends_on_time(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(seconds=3))  # not over before its timer is stored, however busy the machine
        began = time.monotonic()
        started = await there.start()
        await there.until(started["id"], "completed")
        assert time.monotonic() - began >= 3
        assert there.broker.of_type(TICK), "nothing was held here, so a tick was needed"
        assert [dispatch.epoch for dispatch in there.execute.of(started["id"])] == [1, 2]


async def test_a_waiting_execution_says_what_it_waits_for(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        shown = await there.until(started["id"], "waiting")
        (waiting,) = shown["waitingFor"]
        assert (waiting["kind"], waiting["purpose"]) == ("timer", "wait")
        assert waiting["until"] > shown["createdAt"]


async def test_a_tick_with_nothing_due_answers_at_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        answer = await asyncio.wait_for(there.tick(), 30)  # it holds timers for up to ninety seconds
        assert (answer.status_code, answer.content) == (202, b"")


async def test_a_tick_is_answered_only_when_what_it_holds_has_fired(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(seconds=1))
        there.broker.paused = True  # the tick that is asked for does not arrive
        started = await there.start()
        async for attempt in eventually():
            with attempt:
                assert len(there.broker.of_type(DISPATCH)) == 1
        (event,) = there.broker.of_type(DISPATCH)
        await there.broker.deliver(event)
        assert (await there.show(started["id"]))["phase"] == "waiting"
        await there.tick()
        async for attempt in eventually():
            with attempt:
                assert (await there.show(started["id"]))["phase"] in ("running", "completed")


async def test_execute_is_woken_shortly_before_a_timer_is_due(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        assert there.execute.woken == 0
        await due_in(there, 3)
        ticking = asyncio.ensure_future(there.tick())
        async for attempt in eventually():
            with attempt:
                assert there.execute.woken == 1
        assert (await there.show(started["id"]))["phase"] == "waiting", "not due yet"
        await there.until(started["id"], "completed")
        await ticking


async def test_overlapping_ticks_fire_each_timer_once(control_store: str) -> None:
    async with world(control_store) as there, world(control_store) as other:
        await there.deploy(nap(hours=1))
        started = [await there.start() for _ in range(20)]
        for shown in started:
            await there.until(shown["id"], "waiting", 30)
        await due_in(there, 0.5)
        await asyncio.gather(there.tick(), other.tick(), there.tick(), other.tick())
        for shown in started:
            ended = await there.until(shown["id"], "completed", 30)
            assert (ended["epoch"], ended["output"]) == (2, {"woken": True})


async def test_many_timers_that_are_due_at_once_fire_together(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = [await there.start() for _ in range(40)]
        for shown in started:
            await there.until(shown["id"], "waiting", 30)
        await due_in(there, 1)
        await there.tick()
        phases = {(await there.show(shown["id"]))["phase"] for shown in started}
        assert "waiting" not in phases, "one tick fired all of them"
        for shown in started:
            await there.until(shown["id"], "completed", 30)


async def test_timers_of_a_process_that_died_are_fired_by_another(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        # As a process leaves it that claims and is killed: the claim runs out, nobody gives the timer back.
        left = "due = clock_timestamp(), claimed_until = clock_timestamp() + interval '1 s'"
        statement = text(f"UPDATE timers SET {left}")
        await there.service.desk.database.run(lambda tx: tx.execute(statement))
        await there.tick()
        assert (await there.show(started["id"]))["phase"] == "waiting", "somebody else holds it"
        await asyncio.sleep(1)
        await there.tick()
        await there.until(started["id"], "completed")


async def test_a_process_that_ends_gives_its_timers_back_and_asks_for_another(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        await due_in(there, 60)
        held = asyncio.create_task(there.tick(120))
        async for attempt in eventually():
            with attempt:
                assert await claimed(there) == 1
        there.broker.paused = True
        there.service.stop()
        assert (await held).status_code == 202
        async for attempt in eventually():
            with attempt:
                assert len(there.broker.of_type(TICK)) == 1
                assert await claimed(there) == 0
        await due_in(there, 0)
    async with world(control_store) as there:
        await there.tick()
        await there.until(started["id"], "completed")


async def test_what_fell_due_while_nobody_was_there_is_fired_at_the_next_tick(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=5))
        started = await there.start()
        await there.until(started["id"], "waiting")
        late = text("UPDATE timers SET due = clock_timestamp() - interval '1 hour'")
        await there.service.desk.database.run(lambda tx: tx.execute(late))
        await there.tick()
        await there.until(started["id"], "completed")


async def test_a_timer_that_is_early_by_the_database_clock_waits_on(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        await due_in(there, 3)
        held = asyncio.ensure_future(there.tick())
        async for attempt in eventually():
            with attempt:
                assert await claimed(there) == 1
        later = text("UPDATE timers SET due = due + interval '700 ms' RETURNING due")
        moved = (await there.service.desk.database.run(lambda tx: tx.execute(later))).scalar_one()
        await there.until(started["id"], "completed", 30)
        assert there.execute.of(started["id"])[1].at >= int(moved.timestamp() * 1000)
        await held


async def copies(there: World, count: int, due: str) -> None:
    """So many more executions like the only one, which waits, with timers that are due at ``due`` (SQL)."""
    names = ", ".join(name for name in Execution.__dataclass_fields__ if name != "id")
    for statement in (
        f"INSERT INTO executions (id, {names}) SELECT gen_random_uuid(), {names} FROM executions, "
        f"generate_series(1, {count})",
        f"INSERT INTO timers (execution, key, command, due) SELECT executions.id, first.key, first.command, {due} "
        "FROM executions, (SELECT key, command FROM timers LIMIT 1) AS first ON CONFLICT DO NOTHING",
    ):
        await there.service.desk.database.run(lambda tx, one=statement: tx.execute(text(one)))  # type: ignore[misc]


async def test_overdue_timers_are_spread_and_do_not_hold_up_those_on_time(control_store: str) -> None:
    async with world(control_store, overdue_per_second=8.0) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        await copies(there, 12, "clock_timestamp() - interval '1 hour'")
        await due_in(there, -3600)
        punctual = await there.start()
        await there.until(punctual["id"], "waiting")
        soon = f"UPDATE timers SET due = clock_timestamp() + interval '0.5 s' WHERE execution = '{punctual['id']}'"
        await there.service.desk.database.run(lambda tx: tx.execute(text(soon)))
        await there.tick()
        sent = [(dispatch.execution, dispatch.at) for _, dispatch in there.execute.taken if dispatch.epoch == 2]
        late = sorted(at for execution, at in sent if execution != punctual["id"])
        assert len(late) == 13
        assert late[-1] - late[0] >= 1000, "thirteen, eight per second"
        assert max(sum(first <= at < first + 1000 for at in late) for first in late) <= 10
        assert [at for execution, at in sent if execution == punctual["id"]] < late[-1:], (
            "it did not stand in that line"
        )


async def test_a_claim_looks_at_no_timer_that_is_far_away_or_held(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(nap(hours=1))
        started = await there.start()
        await there.until(started["id"], "waiting")
        await copies(there, 20_000, "clock_timestamp() + interval '1 day'")
        desk = there.service.desk
        held = "UPDATE timers SET claimed_until = clock_timestamp() + interval '1 h', due = clock_timestamp() "
        half = held + "WHERE execution IN (SELECT execution FROM timers LIMIT 10000)"
        await desk.database.run(lambda tx: tx.execute(text(half)))
        await desk.database.run(lambda tx: tx.execute(text("ANALYZE timers")))
        assert await looked_at(there, lambda tx: wakes.claim_timers(tx, 90.0, 15.0, 2000)) <= 10
        assert await looked_at(there, lambda tx: wakes.claim_overdue(tx, 15.0, 2000)) <= 10


async def looked_at(there: World, claim: Callable[[Tx], Awaitable[list[wakes.Held]]]) -> int:
    """How many rows of timers a claim that finds nothing reads; the connection may have others still to report."""
    counted = text(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
        "WHERE relname = 'timers'"
    )

    async def look(tx: Tx) -> int:
        before: int = (await tx.execute(counted)).scalar_one()
        assert not await claim(tx)
        after: int = (await tx.execute(counted)).scalar_one()
        return after - before

    return await there.service.desk.database.run(look)
