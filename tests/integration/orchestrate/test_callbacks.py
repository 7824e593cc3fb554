"""Callback URLs: whoever has one answers its execution once, however early, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import permutations
from typing import Any

import psycopg
import pytest

from functions.orchestrate.firing import fire
from lowtide.model.base import ExecutionId, Millis
from lowtide.wire.callbacks import CallbackToken, write_token
from lowtide.wire.types import Dispatch, Ended, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.test_rule_races import in_order
from tests.integration.orchestrate.world import KEY, FakeExecute, World, document, play, world

pytestmark = pytest.mark.anyio

GIVEN = "com.example.given"


def asking(expires: str = "P1D", accept: str = "[application/json]") -> str:
    """Makes a URL, tells the world of it, and waits."""
    return document(
        f"""
- create:
    call: create-callback:1.0.0@default
    with: {{expires: {expires}, accept: {accept}}}
    export: {{as: '${{ {{callback: .}} }}'}}
- give: {{emit: {{event: {{with: {{source: /t, type: {GIVEN}, data: '${{ $context.callback.url }}'}}}}}}}}
- answer: {{call: 'await-callback:1.0.0@default', with: {{callback: '${{ $context.callback }}'}}}}
"""
    )


async def given_by(there: World, execution: str) -> str:
    """The path of the URL that this execution has told the world of."""
    async for attempt in eventually():
        with attempt:
            urls = [str(event.as_json()["data"]) for event in there.broker.of_type(GIVEN) if execution in event.id]
            assert len(urls) == 1
    return urls[0].removeprefix("https://lowtide.example")


async def waiting(there: World) -> tuple[str, str]:
    """An execution that waits for its callback, and the path that answers it."""
    started = (await there.start())["id"]
    await there.until(started, "waiting")
    return started, await given_by(there, started)


async def test_a_callback_url_is_answered_once_and_only_by_a_post_that_fits(control_store: str) -> None:
    async with world(control_store, max_body_bytes=2000) as there:
        await there.deploy(asking())
        started, path = await waiting(there)
        assert (await there.api.get(path)).status_code == 405, "a preview of a link changes nothing"
        assert (await there.api.head(path)).status_code == 405
        assert (await there.api.post(path, data={"a": "1"})).status_code == 415
        assert (
            await there.api.post(path, content="{", headers={"content-type": "application/json"})
        ).status_code == 400
        assert (await there.api.post(path, json="x" * 3000)).status_code == 413
        deep = "[" * 300 + "]" * 300
        assert (
            await there.api.post(path, content=deep, headers={"content-type": "application/json"})
        ).status_code == 400
        other = path[:20] + ("B" if path[20] == "A" else "A") + path[21:]
        for forged in (path[:-1], path[:-5] + "AAAAA", path + "A", "/v1/callbacks/x", other):
            answer = await there.api.post(forged, json=1)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), forged
        assert (await there.show(started))["waitingFor"][0]["kind"] == "callback"
        paid = {"paid": 12345678901234567890}
        taken = await there.api.post(path, json=paid, headers={"idempotency-key": "k-1"})
        assert (taken.status_code, taken.json()) == (202, {"status": "received"})
        assert (await there.until(started, "completed"))["output"] == paid
        assert (await there.api.post(path, json=paid, headers={"idempotency-key": "k-1"})).status_code == 202
        for second in (
            await there.api.post(path, json=paid),
            await there.api.post(path, json={"paid": 2}, headers={"idempotency-key": "k-1"}),
        ):
            assert (second.status_code, second.json()["code"]) == (409, "conflict")
        unknown = CallbackToken(ExecutionId("0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"), "A" * 16, Millis(10**13), ())
        assert (await there.api.post(f"/v1/callbacks/{write_token(KEY, unknown)}")).status_code == 404


async def test_a_callback_takes_texts_and_forms_where_its_workflow_says_so(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(asking(accept="[text/plain, application/x-www-form-urlencoded]"))
        form, text, nothing = [await waiting(there) for _ in range(3)]
        assert (await there.api.post(form[1], json={})).status_code == 415
        await there.api.post(form[1], data={"a": ["1", "2"], "b": ""})
        await there.api.post(text[1], content="fünf".encode(), headers={"content-type": "text/plain; charset=utf-8"})
        await there.api.post(nothing[1])
        assert (await there.until(form[0], "completed"))["output"] == {"a": ["1", "2"], "b": ""}
        assert (await there.until(text[0], "completed"))["output"] == "fünf"
        assert (await there.until(nothing[0], "completed"))["output"] is None


async def test_a_callback_that_comes_before_it_is_awaited_is_kept(control_store: str) -> None:
    """Whether its execution still runs, waits for something else meanwhile, or is suspended."""
    async with world(control_store) as there:
        go = asyncio.Event()

        async def slowly(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            result = await play(execute, dispatch)
            await go.wait()
            return result

        there.execute.answer = slowly
        await there.deploy(asking())
        running = (await there.start())["id"]
        path = await given_by(there, running)
        assert (await there.api.post(path, json=1)).status_code == 202
        assert (await there.api.post(path, json=2)).status_code == 409
        there.execute.answer = play
        wait = "\n- other: {listen: {to: {one: {with: {type: com.example.go}}}}}\n- answer:"
        twice = "- again: {call: 'await-callback:1.0.0@default', with: {callback: '${ $context.callback }'}}"
        later = asking().replace("name: sample", "name: later").replace("\n- answer:", wait) + twice
        await there.deploy(later)
        elsewhere = (await there.start(name="later"))["id"]
        await there.until(elsewhere, "waiting")
        assert (await there.api.post(await given_by(there, elsewhere), json=3)).status_code == 202
        assert (await there.show(elsewhere))["waitingFor"][0]["types"] == ["com.example.go"]
        await there.send("com.example.go")
        assert (await there.until(elsewhere, "completed"))["output"] == 3, "also where it is awaited a second time"
        go.set()
        assert (await there.until(running, "completed"))["output"] == 1

        suspended, path = await waiting(there)
        orders = f"/v1/namespaces/tests/executions/{suspended}"
        assert (await there.api.post(f"{orders}/suspend")).json()["phase"] == "suspended"
        assert (await there.api.post(path, json=4)).status_code == 202
        assert (await there.show(suspended))["phase"] == "suspended"
        await there.api.post(f"{orders}/resume")
        assert (await there.until(suspended, "completed"))["output"] == 4


async def test_of_calls_expiry_and_cancel_the_first_one_counts(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(asking())
        started, path = await waiting(there)
        answers = await asyncio.gather(*(there.api.post(path, json=number) for number in range(8)))
        taken = [number for number, answer in enumerate(answers) if answer.status_code == 202]
        assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
        assert (await there.until(started, "completed"))["output"] == taken[0]

        for first, second in permutations(("answer", "cancel", "expiry"), 2):
            started, path = await waiting(there)
            timer = await overdue(control_store, started)
            sides: dict[str, Callable[[], Awaitable[Any]]] = {
                "answer": partial(there.api.post, path, json="answered"),
                "cancel": partial(there.cancel, started),
                "expiry": partial(there.service.desk.do, partial(fire, execution_id=started, key=timer)),
            }
            results = await in_order(control_store, started, sides[first](), sides[second]())
            came = dict(zip((first, second), results, strict=True))
            if "answer" in came:
                assert came["answer"].status_code == (202 if first == "answer" else 410), (first, second)
            if second != "cancel":
                phase = {"answer": "completed", "cancel": "cancelled", "expiry": "faulted"}[first]
                assert (await there.until(started, phase))["error" if phase == "faulted" else "id"]


async def overdue(database: str, execution: str, *, what: str = "until") -> str:
    """Let the time of what an execution has asked be over by the store alone; the key of its timer."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        found = await connection.execute(
            """UPDATE asks SET asked = convert_to(regexp_replace(
                   convert_from(asked, 'UTF8'), '"' || %s::text || '":\\d+', '"' || %s::text || '":1'), 'UTF8')
                WHERE execution = %s RETURNING 'ask:' || id""",
            [what, what, execution],
        )
        row = await found.fetchone()
        # Claimed, so that nobody but the test fires it.
        claimed = "UPDATE timers SET due = now(), claimed_until = now() + interval '1 h' WHERE execution = %s"
        await connection.execute(claimed, [execution])
    assert row is not None
    return str(row[0])
