"""What a document refers to outside itself is fetched and pinned when a version is deployed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from functions.orchestrate.store.database import Tx
from tests.integration.orchestrate.listener import listening
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

YAML = {"content-type": "application/yaml"}
WORKFLOWS = "/v1/namespaces/tests/workflows"
GREET = "set: ${ 'Hello, ' + .name }".replace("'", '"')


class Site:
    """A host with texts by path; a path that is not there is 404. ``asked`` are the paths that were asked for."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []
        self.seen: list[str | None] = []
        self.before: Callable[[], Awaitable[Any]] | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.seen.append(request.headers.get("Authorization"))
        if self.before is not None:
            await self.before()
        text = self.texts.get(request.path)
        return web.Response(status=404) if text is None else web.Response(text=text)


@contextlib.asynccontextmanager
async def site(texts: dict[str, str]) -> AsyncIterator[Site]:
    made = Site(texts)
    bound, made.url = listening()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    try:
        yield made
    finally:
        await runner.cleanup()


def calling(url: str, *, version: str = "1.0.0") -> str:
    head = f"use: {{catalogs: {{shop: {{endpoint: '{url}'}}}}}}"
    return document("- greet: {call: 'greet:1.0.0@shop', with: {name: Ada}}", head=head, version=version)


async def refused(there: World, source: str) -> list[dict[str, Any]]:
    answer = await there.api.post(WORKFLOWS, content=source, headers=YAML)
    assert answer.status_code == 422, answer.text
    problems: list[dict[str, Any]] = answer.json()["problems"]
    return problems


async def output_of(there: World, **options: Any) -> Any:
    started = await there.start({}, **options)
    shown = await there.until(started["id"], "completed")
    return shown["output"]


async def test_an_execution_performs_the_function_that_was_there_at_the_deployment(control_store: str) -> None:
    path = "/functions/greet/1.0.0/function.yaml"
    async with site({path: GREET}) as shop, world(control_store, allow_loopback=True) as there:
        await there.deploy(calling(shop.url))
        shop.texts[path] = "set: changed"
        assert await output_of(there) == "Hello, Ada"
        assert shop.asked == [path], "nothing is fetched when an execution starts"
        dispatch = there.execute.taken[0][1]
        assert "greet:1.0.0@shop" in dispatch.plan.functions


async def test_a_schema_travels_in_the_plan(control_store: str) -> None:
    async with (
        site({"/order.json": json.dumps({"required": ["id"]})}) as shop,
        world(control_store, allow_loopback=True) as there,
    ):
        head = f"input: {{schema: {{resource: {{endpoint: '{shop.url}/order.json'}}}}}}"
        await there.deploy(document("- look: {set: {a: 1}}", head=head))
        shop.texts.clear()
        path = f"{WORKFLOWS}/sample/executions"
        answer = await there.api.post(path, json={"no": "id"})
        assert answer.status_code == 400
        assert "'id' is a required property" in answer.json()["detail"]
        assert (await there.until((await there.start({"id": 1}))["id"], "completed"))["output"] == {"a": 1}


async def test_a_version_that_is_there_is_not_fetched_again(control_store: str) -> None:
    async with world(control_store, allow_loopback=True) as there:
        async with site({"/functions/greet/1.0.0/function.yaml": GREET}) as shop:
            source = calling(shop.url)
            first = await there.deploy(source)
        assert await there.deploy(source) == first, "its host is gone, and nobody asks it"
        other = source.replace("Ada", "Bob")
        answer = await there.api.post(WORKFLOWS, content=other, headers=YAML)
        assert answer.status_code == 409


async def test_every_mistake_is_told_with_its_place_and_nothing_is_stored(control_store: str) -> None:
    texts = {"/functions/a/1.0.0/function.yaml": "set: {b: 1", "/functions/b/1.0.0/function.yaml": "- 1"}
    async with site(texts) as shop, world(control_store, allow_loopback=True) as there:
        head = f"use: {{catalogs: {{shop: {{endpoint: '{shop.url}'}}, dead: {{endpoint: 'http://127.0.0.1:1'}}}}}}"
        calls = "".join(f"- {name}: {{call: '{name}:1.0.0@shop'}}\n" for name in "abc")
        found = await refused(there, document(f"{calls}- d: {{call: 'd:1.0.0@dead'}}", head=head))
        assert [(problem["line"], problem["severity"]) for problem in found] == [(n, "error") for n in (4, 5, 6, 7)]
        assert "function.yaml:1:11: a '{' is not closed" in found[0]["message"]
        assert "not a mapping" in found[1]["message"]
        assert "404" in found[2]["message"]
        assert "Cannot connect" in found[3]["message"]
        assert all(problem["mend"] for problem in found)
        assert (await there.api.get(WORKFLOWS)).json()["items"] == []


async def test_loopback_is_refused_unless_an_operator_allows_it(control_store: str) -> None:
    async with site({"/functions/greet/1.0.0/function.yaml": GREET}) as shop, world(control_store) as there:
        (problem,) = await refused(there, calling(shop.url))
        assert "may not reach" in problem["message"]
        assert shop.asked == []


async def test_files_of_the_server_cannot_be_read_by_a_document(control_store: str, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("set: {secret: 1}")
    async with world(control_store, catalog=str(tmp_path / "catalog")) as there:
        (problem,) = await refused(there, document(f"- a: {{call: 'file://{tmp_path}/secret.yaml'}}"))
        assert "files may not be read" in problem["message"]
        (problem,) = await refused(there, document("- a: {call: '../../secret:1.0.0@default'}"))
        assert "relative" in problem["message"]


async def test_the_default_catalog_may_be_a_folder_and_nothing_leads_out_of_it(
    control_store: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.yaml").write_text("set: {secret: 1}")
    folder = tmp_path / "catalog"
    for name, text in {"good": GREET, "climbs": "do: [{a: {call: ../../../../secret.yaml}}]"}.items():
        (folder / "functions" / name / "1.0.0").mkdir(parents=True)
        (folder / "functions" / name / "1.0.0" / "function.yaml").write_text(text)
    (folder / "functions" / "linked" / "1.0.0").mkdir(parents=True)
    (folder / "functions" / "linked" / "1.0.0" / "function.yaml").symlink_to(tmp_path / "secret.yaml")
    async with world(control_store, catalog=str(folder)) as there:
        await there.deploy(document("- greet: {call: 'good:1.0.0@default', with: {name: Ada}}"))
        assert await output_of(there) == "Hello, Ada"
        for name in ("climbs", "linked"):
            (problem,) = await refused(there, document(f"- a: {{call: '{name}:1.0.0@default'}}", name=name))
            assert "leads out of the catalog" in problem["message"]


async def test_a_catalog_is_asked_with_the_secret_that_the_document_names(control_store: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    async with (
        site({"/functions/greet/1.0.0/function.yaml": GREET}) as shop,
        world(control_store, allow_loopback=True, secrets_dir=tmp_path) as there,
    ):
        endpoint = f"{{uri: '{shop.url}', authentication: {{bearer: {{token: '${{ $secrets.token }}'}}}}}}"
        head = f"use: {{secrets: [token], catalogs: {{shop: {{endpoint: {endpoint}}}}}}}"
        deployed = await there.deploy(document("- greet: {call: 'greet:1.0.0@shop', with: {name: A}}", head=head))
        assert shop.seen == ["Bearer t0ken"]
        kept = await there.service.desk.database.run(_everything)
        assert "t0ken" not in kept + json.dumps(deployed), "the plan holds the expression, not the secret"
        (problem,) = await refused(
            there,
            document(
                "- a: {call: 'greet:1.0.0@shop'}",
                head=head.replace("[token]", "[absent]").replace("$secrets.token", "$secrets.absent"),
                name="other",
            ),
        )
        assert "there is no secret absent" in problem["message"]


async def _everything(tx: Tx) -> str:
    from sqlalchemy import text

    return str((await tx.execute(text("select plan, definition from workflow_versions"))).all())


async def test_the_same_address_is_asked_once(control_store: str) -> None:
    async with site({"/f.yaml": GREET}) as shop, world(control_store, allow_loopback=True) as there:
        calls = "".join(f"- t{n}: {{call: '{shop.url}/f.yaml', with: {{name: A}}}}\n" for n in range(20))
        await there.deploy(document(calls))
        assert shop.asked == ["/f.yaml"]


async def test_a_slow_host_keeps_nobody_else_waiting_and_holds_no_connection(control_store: str) -> None:
    """With one database connection: a transaction that was held open would stop everything."""
    async with (
        site({"/functions/greet/1.0.0/function.yaml": GREET}) as shop,
        world(control_store, allow_loopback=True, connections=1) as there,
    ):
        arrived, released = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            arrived.set()
            await released.wait()

        shop.before = hold
        slow = [asyncio.create_task(there.deploy(calling(shop.url, version=f"1.0.{n}"))) for n in range(5)]
        await asyncio.wait_for(arrived.wait(), 20)
        await there.deploy(document("- hello: {set: {a: 1}}", name="quick"))
        assert await output_of(there, name="quick") == {"a": 1}
        assert not any(task.done() for task in slow)
        released.set()
        assert {one["version"] for one in await asyncio.gather(*slow)} == {f"1.0.{n}" for n in range(5)}


async def test_a_dead_host_is_given_up(control_store: str) -> None:
    async with (
        site({}) as shop,
        world(control_store, allow_loopback=True, fetch_timeout=5.0, fetch_patience=0.5) as there,
    ):
        never = asyncio.Event()
        shop.before = never.wait
        (problem,) = await refused(there, calling(shop.url))
        assert "within 0.5 s" in problem["message"]


async def test_two_deployments_of_one_version_at_once_store_it_once(control_store: str) -> None:
    async with (
        site({"/functions/greet/1.0.0/function.yaml": GREET}) as shop,
        world(control_store, allow_loopback=True) as there,
    ):
        both = asyncio.Barrier(2)
        shop.before = both.wait
        answers: list[httpx.Response] = await asyncio.gather(
            *(there.api.post(WORKFLOWS, content=calling(shop.url), headers=YAML) for _ in range(2))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 201]


async def test_too_much_is_refused(control_store: str) -> None:
    async with (
        site({"/big.json": " " * (5 * 1024 * 1024)}) as shop,
        world(control_store, allow_loopback=True) as there,
    ):
        head = f"input: {{schema: {{resource: {{endpoint: '{shop.url}/big.json'}}}}}}"
        (problem,) = await refused(there, document("- look: {set: {a: 1}}", head=head))
        assert "larger than" in problem["message"]
