"""Human tasks: asked of a person or a group, answered once by whom they belong to, passed on and ended in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import permutations
from typing import Any

import httpx
import pytest

from functions.orchestrate.firing import fire
from tests.integration.orchestrate.test_callbacks import overdue
from tests.integration.orchestrate.test_rule_races import in_order
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

TASKS = "/v1/namespaces/tests/tasks"
FORM = "{type: object, required: [ok], properties: {ok: {type: boolean}, note: {type: string}}}"


def asking(more: str, *, name: str = "sample") -> str:
    given = "title: '${ \"Approve \" + .order }', description: Look twice, data: '${ . }'"
    return document(
        f"- approve: {{call: 'human-task:1.0.0@default', with: {{{given}, form: {FORM}, {more}}}}}\n", name=name
    )


async def waiting(there: World, order: str = "A-1", *, name: str = "sample") -> tuple[str, str]:
    """An execution that waits for a person, and the task's number."""
    started = (await there.start({"order": order}, name=name))["id"]
    await there.until(started, "waiting")
    items = (await there.api.get(TASKS, params={"execution": started})).json()["items"]
    assert len(items) == 1
    return started, items[0]["id"]


async def tell(there: World, task: str, verb: str, by: str = "ann", **more: Any) -> httpx.Response:
    headers = {"idempotency-key": more.pop("key")} if "key" in more else {}
    return await there.api.post(f"{TASKS}/{task}/{verb}", json={"by": by, **more}, headers=headers)


async def test_a_task_is_listed_claimed_and_completed_by_whom_it_belongs_to(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(asking("assignee: {group: finance}, deadline: P2D"))
        await there.deploy(asking("assignee: {user: ann}", name="personal"))
        started, number = await waiting(there)
        personal, hers = await waiting(there, "A-2", name="personal")

        await _lists(there, number, hers)
        shown = (await there.api.get(f"{TASKS}/{number}")).json()
        assert (shown["title"], shown["task"], shown["assignee"]) == (
            "Approve A-1",
            "/do/0/approve",
            {"group": "finance"},
        )
        assert (shown["data"], shown["form"]["required"], shown["status"]) == ({"order": "A-1"}, ["ok"], "open")
        path = f"/v1/namespaces/tests/executions/{started}"
        waits = (await there.api.get(f"{path}/explanation")).json()["waits"][0]
        assert "for somebody of finance to complete task " + number in waits["sentence"]
        assert "lowtide tasks complete" in waits["sentence"]
        assert (await there.show(started))["waitingFor"][0]["title"] == "Approve A-1"

        assert (await tell(there, number, "claim")).json()["claimedBy"] == "ann"
        assert (await tell(there, number, "claim")).status_code == 200, "again, by the same person"
        for verb in ("claim", "release", "complete"):
            refused = await tell(there, number, verb, "bob", **({"data": {"ok": True}} if verb == "complete" else {}))
            assert (refused.status_code, "ann has claimed" in refused.json()["detail"]) == (409, True)
        assert (await tell(there, hers, "complete", "bob", data={"ok": True})).status_code == 409
        assert (await tell(there, number, "release")).json()["claimedBy"] is None

        wrong = await tell(there, number, "complete", "bob", data={"ok": "yes", "note": 1})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "answer.invalid")
        assert [one["pointer"] for one in wrong.json()["errors"]] == ["/note", "/ok"]
        nonsense: list[Any] = [{"data": {"ok": True}}, {"by": " "}, {"by": "ann", "dat": 1}, []]
        for body in nonsense:
            assert (await there.api.post(f"{TASKS}/{number}/complete", json=body)).status_code == 400
        assert (await there.show(started))["phase"] == "waiting"

        done = await tell(there, number, "complete", "bob", data={"ok": True}, key="k")
        assert (done.status_code, done.json()["status"], done.json()["completedBy"]) == (200, "completed", "bob")
        output = (await there.until(started, "completed"))["output"]
        assert (output["status"], output["data"], output["by"]) == ("completed", {"ok": True}, "bob")
        assert (await tell(there, number, "complete", "bob", data={"ok": True}, key="k")).status_code == 200
        assert (await tell(there, number, "complete", "bob", data={"ok": False}, key="k")).status_code == 409
        assert (await tell(there, number, "complete", "bob", data={"ok": True})).status_code == 409
        assert (await tell(there, hers, "complete", data={"ok": False})).status_code == 200
        await there.until(personal, "completed")

        assert (await there.api.get(TASKS, params={"user": "\x00"})).status_code == 400
        for missing in ("77", "x", "9" * 30):
            assert (await tell(there, missing, "claim")).status_code == 404
        assert (await there.api.get(f"/v1/namespaces/other/tasks/{number}")).status_code == 404


async def _lists(there: World, number: str, hers: str) -> None:
    """Two open tasks, ``hers`` the newer one, in all ways that one can ask for them."""
    for query, found in (
        ({}, [hers, number]),
        ({"status": "open", "group": "finance"}, [number]),
        ({"user": "ann"}, [hers]),
        ({"workflow": "sample"}, [number]),
        ({"status": "completed"}, []),
        ({"claimedBy": "bob"}, []),
    ):
        assert [one["id"] for one in (await there.api.get(TASKS, params=query)).json()["items"]] == found, query
    first = (await there.api.get(TASKS, params={"limit": 1})).json()
    rest = (await there.api.get(TASKS, params={"limit": 1, "cursor": first["next"]})).json()
    assert [page["items"][0]["id"] for page in (first, rest)] == [hers, number]
    assert rest["next"] is None


async def test_a_task_passes_on_and_ends_in_time_without_anybody_running(control_store: str) -> None:
    async with world(control_store) as there:
        passing = "assignee: {group: finance}, escalation: [{after: PT1H, assignee: {user: eve}}]"
        await there.deploy(asking(f"{passing}, deadline: PT2H"))
        await there.deploy(asking("assignee: {user: ann}, deadline: PT2H, default: {ok: false}", name="default"))
        started, number = await waiting(there)
        assert (await tell(there, number, "claim")).status_code == 200
        timer = await overdue(control_store, started, what="at")
        await there.service.desk.do(partial(fire, execution_id=started, key=timer))
        shown = (await there.api.get(f"{TASKS}/{number}")).json()
        assert (shown["assignee"], shown["claimedBy"], shown["status"]) == ({"user": "eve"}, None, "open")
        assert (await tell(there, number, "complete", data={"ok": True})).status_code == 409, "it is eve's now"
        assert [dispatch.epoch for dispatch in there.execute.of(started)] == [1], "it passed on, and nothing ran"

        await overdue(control_store, started)
        await there.service.desk.do(partial(fire, execution_id=started, key=timer))
        error = (await there.until(started, "faulted"))["error"]
        assert (error["status"], error["instance"], "'Approve A-1'" in error["detail"]) == (408, "/do/0/approve", True)
        assert (await tell(there, number, "complete", "eve", data={"ok": True})).status_code == 410

        started, _ = await waiting(there, name="default")
        timer = await overdue(control_store, started)
        await there.service.desk.do(partial(fire, execution_id=started, key=timer))
        output = (await there.until(started, "completed"))["output"]
        assert (output["status"], output["data"], output["by"]) == ("expired", {"ok": False}, None)


async def test_a_task_that_its_execution_no_longer_awaits_is_closed(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(asking("assignee: {user: ann}"))
        branches = "[{ask: {do: [ASK]}}, {go: {listen: {to: {one: {with: {type: go}}}}}}]"
        left = f"- race: {{fork: {{compete: true, branches: {branches}}}}}"
        then = "\n- rest: {listen: {to: {one: {with: {type: end}}}}}"
        ask = "{approve: {call: 'human-task:1.0.0@default', with: {title: t, assignee: {user: ann}, deadline: P1D}}}"
        await there.deploy(document(left.replace("ASK", ask) + then, name="race"))
        started, number = await waiting(there)
        await there.cancel(started)
        assert (await there.api.get(f"{TASKS}/{number}")).json()["status"] == "closed"
        assert (await tell(there, number, "complete", data={"ok": True})).status_code == 410

        started, number = await waiting(there, name="race")
        await there.send("go")
        await there.until(started, "waiting")
        refused = await tell(there, number, "complete", data=None)
        assert (refused.status_code, refused.json()["code"]) == (410, "gone")
        assert (await there.api.get(TASKS, params={"status": "open"})).json()["items"] == []


async def test_of_completions_deadline_and_cancel_the_first_one_counts(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(asking("assignee: {group: finance}, deadline: PT2H"))
        started, number = await waiting(there)
        people = [f"p-{one}" for one in range(6)]
        answers = await asyncio.gather(*(tell(there, number, "complete", by, data={"ok": True}) for by in people))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
        winner = next(by for by, answer in zip(people, answers, strict=True) if answer.status_code == 200)
        assert (await there.until(started, "completed"))["output"]["by"] == winner

        for first, second in permutations(("answer", "cancel", "deadline"), 2):
            started, number = await waiting(there)
            timer = await overdue(control_store, started)
            sides: dict[str, Callable[[], Awaitable[Any]]] = {
                "answer": partial(tell, there, number, "complete", data={"ok": True}),
                "cancel": partial(there.cancel, started),
                "deadline": partial(there.service.desk.do, partial(fire, execution_id=started, key=timer)),
            }
            results = await in_order(control_store, started, sides[first](), sides[second]())
            came = dict(zip((first, second), results, strict=True))
            if "answer" in came:
                assert came["answer"].status_code == (200 if first == "answer" else 410), (first, second)
            if second != "cancel":
                await there.until(started, {"answer": "completed", "cancel": "cancelled", "deadline": "faulted"}[first])
