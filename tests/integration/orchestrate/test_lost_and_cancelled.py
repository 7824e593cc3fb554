"""Lost dispatches, dead letters, cancels: what the journal says decides."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from sqlalchemy import text

from functions.orchestrate.lost import find_lost
from lowtide.model.base import ExecutionId
from lowtide.model.event import CancelAsked
from lowtide.wire import mac
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.records import LeaseState
from lowtide.wire.types import DISPATCH, Dispatch, Ended, Extension, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.fake_ingest import FakeIngest
from tests.integration.orchestrate.world import FakeExecute, World, document, outcome_event, play, world

pytestmark = pytest.mark.anyio

GREET = document("- hello: {set: {greeting: hello}}")


async def silent(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
    """As an execute answers that was fenced, or whose token had expired: 2xx without a body."""
    return 202


async def lost(there: World) -> tuple[str, Dispatch]:
    """An execution whose dispatch was delivered long ago and led to nothing."""
    there.execute.answer = silent
    started = await there.start()
    await there.until(started["id"], "running")
    async for attempt in eventually():
        with attempt:
            assert there.execute.of(started["id"])
            assert await count(there, "outbox WHERE kind = 'dispatch'") == 0
    await long_ago(there)
    there.execute.answer = play
    return started["id"], there.execute.of(started["id"])[-1]


async def long_ago(there: World) -> None:
    earlier = text(
        "UPDATE dispatches SET sent_at = sent_at - interval '1 hour', next_try = next_try - interval '1 hour'"
    )
    await there.service.desk.database.run(lambda tx: tx.execute(earlier))


async def count(there: World, what: str) -> int:
    rows = await there.service.desk.database.run(lambda tx: tx.execute(text(f"SELECT count(*) FROM {what}")))
    return int(rows.scalar_one())


def dead(event: CloudEvent, code: int | None, data: str = "") -> CloudEvent:
    told: dict[str, Any] = {} if code is None else {"knativeerrorcode": code}
    if data:
        told["knativeerrordata"] = base64.b64encode(data.encode()).decode()
    return CloudEvent({**event.attributes, **told}, event.data)


# ---------------------------------------------------------------- lost dispatches


async def test_a_dispatch_that_nobody_opened_is_issued_again_with_a_fresh_token(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        await there.tick()
        await there.until(execution, "completed")
        first, second = there.broker.of_type(DISPATCH)
        assert first.data == second.data, "byte for byte"
        assert first.attributes[Extension.token] != second.attributes[Extension.token]
        assert first.attributes[Extension.digest] == second.attributes[Extension.digest]


async def test_one_that_nobody_opened_is_left_alone_until_its_time(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        later = text("UPDATE dispatches SET next_try = clock_timestamp() + interval '1 minute'")
        await there.service.desk.database.run(lambda tx: tx.execute(later))
        await there.tick()
        assert (await there.show(execution))["phase"] == "running"
        assert len(there.broker.of_type(DISPATCH)) == 1


async def test_one_whose_owner_died_is_issued_again_at_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        later = text("UPDATE dispatches SET next_try = clock_timestamp() + interval '1 hour'")
        await there.service.desk.database.run(lambda tx: tx.execute(later))
        there.ingest.states[execution] = LeaseState(epoch=1, alive=False)
        await there.tick()
        await there.until(execution, "completed")


async def test_the_end_of_a_process_is_a_reason_to_issue_again_once(control_store: str) -> None:
    """A busy platform may not open it for longer than from tick to tick."""
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.execute.answer = silent
        for owner, issued in (("one", 2), ("one", 2), ("another", 3), ("another", 3)):
            there.ingest.states[execution] = LeaseState(epoch=1, alive=False, owner=owner)
            await there.tick()
            await sent(there)
            assert len(there.broker.of_type(DISPATCH)) == issued
            sent_an_hour_ago = text("UPDATE dispatches SET sent_at = sent_at - interval '1 hour'")
            await there.service.desk.database.run(lambda tx: tx.execute(sent_an_hour_ago))  # noqa: B023
        await long_ago(there)
        await there.tick()
        await sent(there)
        assert len(there.broker.of_type(DISPATCH)) == 4, "as one that nobody opened, when its time has come"


async def test_two_who_find_it_lost_issue_it_again_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.execute.answer = silent
        desk, both = there.service.desk, BothAsk(there)
        there.ingest.states[execution] = LeaseState(epoch=1, alive=False, owner="one")
        assert sorted(await asyncio.gather(find_lost(desk, both), find_lost(desk, both))) == [0, 1]
        assert await count(there, f"dispatches WHERE execution = '{execution}' AND attempts = 1") == 1


class BothAsk(FakeIngest):
    """Answers when two have found what they ask about."""

    def __init__(self, there: World) -> None:
        super().__init__(states=there.ingest.states)
        self._barrier = asyncio.Barrier(2)

    async def leases(self, executions: list[ExecutionId]) -> dict[ExecutionId, LeaseState]:
        await self._barrier.wait()
        return await super().leases(executions)


async def sent(there: World) -> None:
    async for attempt in eventually():
        with attempt:
            assert await count(there, "outbox WHERE kind = 'dispatch'") == 0


async def test_one_whose_owner_lives_is_left_alone(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.ingest.states[execution] = LeaseState(epoch=1, alive=True)
        await there.tick()
        assert len(there.broker.of_type(DISPATCH)) == 1
        assert (await there.show(execution))["phase"] == "running"


async def test_one_that_is_closed_gets_its_outcome_from_the_journal(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        there.ingest.closed(Ended(execution=dispatch.execution, epoch=1, status="completed", output="from the journal"))
        await there.tick()
        assert (await there.show(execution))["output"] == "from the journal"
        assert len(there.broker.of_type(DISPATCH)) == 1, "without another invocation"


async def test_a_dispatch_that_never_leads_anywhere_suspends_its_execution(control_store: str) -> None:
    async with world(control_store, lost_attempts=2) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.execute.answer = silent
        for _ in range(3):
            await there.tick()
            await sent(there)
            await long_ago(there)
        shown = await there.show(execution)
        assert shown["phase"] == "suspended"
        assert "sent 3 times" in shown["reason"]
        assert len(there.broker.of_type(DISPATCH)) == 3


async def test_an_outcome_that_comes_after_all_lifts_the_suspension(control_store: str) -> None:
    async with world(control_store, lost_attempts=0) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        await there.tick()
        await there.until(execution, "suspended")
        digest = str(there.execute.taken[0][0].text(Extension.digest))
        late = Ended(execution=dispatch.execution, epoch=1, status="completed", output="late")
        await there.post(outcome_event(late, digest))
        assert (await there.show(execution))["output"] == "late"


async def test_nothing_is_concluded_while_ingest_is_down(control_store: str) -> None:
    async with world(control_store, lost_attempts=0) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.ingest.down = True
        assert (await there.tick()).status_code == 202
        assert (await there.show(execution))["phase"] == "running"
        there.ingest.down = False


async def test_a_journal_that_is_ahead_suspends_the_execution(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.ingest.states[execution] = LeaseState(epoch=5, alive=False)
        await there.tick()
        shown = await there.show(execution)
        assert (shown["phase"], "epoch 5" in shown["reason"]) == ("suspended", True)


# ---------------------------------------------------------------- dead letters


@pytest.mark.parametrize("code", [503, None], ids=["503", "a delivery timeout"])
async def test_a_dead_letter_that_the_journal_closed_is_applied(control_store: str, code: int | None) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        there.ingest.closed(Ended(execution=dispatch.execution, epoch=1, status="completed", output=1))
        answer = await there.post(dead(there.broker.of_type(DISPATCH)[0], code), "/dead-letters")
        assert (answer.status_code, answer.content) == (202, b"")
        assert (await there.show(execution))["phase"] == "completed"
        assert await count(there, "dead_letters WHERE verdict = 'applied'") == 1


async def test_a_dead_letter_whose_owner_lives_is_ignored(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.ingest.states[execution] = LeaseState(epoch=1, alive=True)
        await there.post(dead(there.broker.of_type(DISPATCH)[0], 503), "/dead-letters")
        assert (await there.show(execution))["phase"] == "running"
        assert await count(there, "dead_letters WHERE verdict = 'alive'") == 1


async def test_any_other_dead_letter_is_issued_again_after_a_pause(control_store: str) -> None:
    async with world(control_store, lost_after=0.5) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        await there.post(dead(there.broker.of_type(DISPATCH)[0], 503), "/dead-letters")
        assert (await there.show(execution))["phase"] == "running"
        await there.until(execution, "completed")
        assert await count(there, "dead_letters WHERE verdict = 'again'") == 1


async def test_a_dispatch_that_can_never_succeed_suspends_with_the_reason(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        await there.post(dead(there.broker.of_type(DISPATCH)[0], 400, "no such snapshot format"), "/dead-letters")
        shown = await there.show(execution)
        assert (shown["phase"], "no such snapshot format" in shown["reason"]) == ("suspended", True)


async def test_an_outcome_among_the_dead_letters_is_applied(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        digest = str(there.execute.taken[0][0].text(Extension.digest))
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed", output=2)
        await there.post(dead(outcome_event(ended, digest), 500), "/dead-letters")
        assert (await there.show(execution))["output"] == 2


# ---------------------------------------------------------------- authenticity


async def test_a_forged_outcome_is_refused(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        digest = str(there.execute.taken[0][0].text(Extension.digest))
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed")
        forged = await there.post(outcome_event(ended, digest, key=b"another key"))
        assert (forged.status_code, forged.json()["code"]) == (403, "auth.forged")
        genuine = outcome_event(ended, digest)
        altered = CloudEvent(genuine.attributes, (genuine.data or b"").replace(b"completed", b"cancelled"))
        assert (await there.post(altered)).status_code == 403
        assert (await there.show(execution))["phase"] == "running"


async def test_a_forged_dead_letter_is_refused(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        letter = dead(there.broker.of_type(DISPATCH)[0], 400)
        forged = CloudEvent({**letter.attributes, Extension.token: f"v1.1.{'0' * 64}"}, letter.data)
        assert (await there.post(forged, "/dead-letters")).status_code == 403
        assert (await there.show(execution))["phase"] == "running"


async def test_an_outcome_of_another_dispatch_suspends_instead_of_guessing(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed")
        assert (await there.post(outcome_event(ended, mac.digest_of(b"other")))).status_code == 202
        assert (await there.show(execution))["phase"] == "suspended"


# ---------------------------------------------------------------- cancel


async def test_a_waiting_execution_is_cancelled_without_an_invocation(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        answer = await there.cancel(started["id"], "ordered twice")
        assert (answer.status_code, answer.json()["phase"], answer.json()["reason"]) == (
            202,
            "cancelled",
            "ordered twice",
        )
        assert len(there.execute.of(started["id"])) == 1
        assert await count(there, "timers") == 0


async def test_one_that_was_never_sent_is_cancelled_at_once(control_store: str) -> None:
    async with world(control_store, max_outstanding=0) as there:
        await there.deploy(GREET)
        started = await there.start()
        assert (await there.cancel(started["id"])).json()["phase"] == "cancelled"
        assert await count(there, "outbox WHERE kind = 'dispatch'") == 0


async def test_a_running_owner_is_signalled_and_has_its_grace(control_store: str) -> None:
    async with world(control_store, cancel_grace=1.0) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        execution, _ = await lost(there)
        there.ingest.states[execution] = LeaseState(epoch=1, alive=True)
        assert (await there.cancel(execution, "stop")).json()["phase"] == "running"
        async for attempt in eventually():
            with attempt:
                ((told, epoch, wake),) = there.ingest.signals
        assert (told, epoch, isinstance(wake.event, CancelAsked)) == (execution, 1, True)
        shown = await there.until(execution, "cancelled")
        assert shown["reason"] == "stop"
        second = there.execute.of(execution)[-1]
        assert (second.epoch, [type(wake.event) for wake in second.wakes]) == (2, [CancelAsked])


async def test_a_cancel_twice_is_one_cancel(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        answers = await asyncio.gather(*(there.cancel(started["id"]) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {202}


async def test_what_has_ended_otherwise_cannot_be_cancelled(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await there.start()
        await there.until(started["id"], "completed")
        answer = await there.cancel(started["id"])
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
