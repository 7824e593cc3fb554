"""The HTTP API: what it answers, and that every error is a problem document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.databases import database, outage
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

GREET = document("- hello: {set: {greeting: hello}}")
YAML = {"content-type": "application/yaml"}
WORKFLOWS = "/v1/namespaces/tests/workflows"


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, once it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"].endswith(code)
    assert body["title"]
    return body


# ---------------------------------------------------------------- workflows


async def test_a_version_is_created_once_and_never_changes(control_store: str) -> None:
    async with world(control_store) as there:
        first = await there.api.post(WORKFLOWS, content=GREET, headers=YAML)
        again = await there.api.post(WORKFLOWS, content=GREET, headers=YAML)
        other = await there.api.post(WORKFLOWS, content=document("- other: {set: {a: 1}}"), headers=YAML)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert {name: first.json()[name] for name in ("namespace", "name", "version", "warnings")} == {
            "namespace": "tests",
            "name": "sample",
            "version": "1.0.0",
            "warnings": [],
        }
        is_problem(other, 409, "conflict")


async def test_a_json_document_is_taken_too(control_store: str) -> None:
    async with world(control_store) as there:
        body = {
            "document": {"dsl": "1.0.3", "namespace": "tests", "name": "sample", "version": "1.0.0"},
            "do": [{"hello": {"set": {"a": 1}}}],
        }
        answer = await there.api.post(WORKFLOWS, json=body)
        assert answer.status_code == 201
        assert (await there.api.get(f"{WORKFLOWS}/sample")).json()["definition"]["do"] == body["do"]


async def test_mistakes_are_told_with_their_place_and_mend(control_store: str) -> None:
    async with world(control_store) as there:
        wrong = GREET.replace("set:", "sett:")
        body = is_problem(await there.api.post(WORKFLOWS, content=wrong, headers=YAML), 422, "document.invalid")
        assert {"line", "column", "severity", "message", "mend"} <= set(body["problems"][0])
        checked = (await there.api.post("/v1/validate", content=wrong, headers=YAML)).json()
        assert (checked["valid"], checked["problems"]) == (False, body["problems"])
        assert (await there.api.post("/v1/validate", content=GREET, headers=YAML)).json()["valid"] is True


async def test_a_document_belongs_to_its_namespace(control_store: str) -> None:
    async with world(control_store) as there:
        answer = await there.api.post("/v1/namespaces/others/workflows", content=GREET, headers=YAML)
        assert "tests" in is_problem(answer, 422, "document.invalid")["detail"]


async def test_versions_are_listed_shown_drawn_and_removed(control_store: str) -> None:
    async with world(control_store) as there:
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            await there.deploy(document("- hello: {set: {v: 1}}", version=version))
        page = (await there.api.get(f"{WORKFLOWS}/sample/versions?limit=2")).json()
        rest = (await there.api.get(f"{WORKFLOWS}/sample/versions?limit=2&cursor={page['next']}")).json()
        assert [item["version"] for item in page["items"] + rest["items"]] == ["2.0.0", "1.1.0", "1.0.0"]
        assert rest["next"] is None
        shown = (await there.api.get(f"{WORKFLOWS}/sample")).json()
        assert (shown["version"], "set" in shown["source"]) == ("2.0.0", True)
        assert (await there.api.get(f"{WORKFLOWS}/sample/versions/1.0.0")).json()["version"] == "1.0.0"
        assert {"nodes", "edges"} <= set((await there.api.get(f"{WORKFLOWS}/sample/graph")).json())
        drawn = await there.api.get(f"{WORKFLOWS}/sample/graph?format=mermaid")
        assert drawn.headers["content-type"].startswith("text/plain")
        assert "hello" in drawn.text
        assert (await there.api.delete(f"{WORKFLOWS}/sample/versions/2.0.0")).status_code == 204
        assert (await there.api.get(f"{WORKFLOWS}/sample")).json()["version"] == "1.1.0"
        assert (await there.api.delete(f"{WORKFLOWS}/sample")).status_code == 204
        is_problem(await there.api.get(f"{WORKFLOWS}/sample"), 404, "not_found")
        await there.deploy(document("- other: {set: {v: 9}}", version="2.0.0"))


async def test_a_workflow_with_living_executions_is_removed_only_by_force(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        started = await there.start()
        is_problem(await there.api.delete(f"{WORKFLOWS}/sample"), 409, "conflict")
        assert (await there.api.delete(f"{WORKFLOWS}/sample?force=true")).status_code == 202
        assert "was removed" in (await there.until(started["id"], "cancelled"))["reason"]


async def test_workflows_are_listed_by_name_in_pages(control_store: str) -> None:
    async with world(control_store) as there:
        for name in ("b", "a", "c"):
            await there.deploy(document("- hello: {set: {v: 1}}", name=name))
        page = (await there.api.get(f"{WORKFLOWS}?limit=2")).json()
        rest = (await there.api.get(f"{WORKFLOWS}?limit=2&cursor={page['next']}")).json()
        assert [item["name"] for item in page["items"] + rest["items"]] == ["a", "b", "c"]


# ---------------------------------------------------------------- executions


async def test_executions_are_listed_newest_first_in_pages(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        ids = [(await there.start({"n": number}))["id"] for number in range(5)]
        for execution in ids:
            await there.until(execution, "completed")
        found: list[str] = []
        cursor = ""
        while True:
            path = f"/v1/namespaces/tests/executions?limit=2&phase=completed&workflow=sample{cursor}"
            page = (await there.api.get(path)).json()
            found += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert found == ids[::-1]
        assert (await there.api.get("/v1/namespaces/tests/executions?phase=faulted")).json()["items"] == []
        assert (await there.api.get("/v1/namespaces/others/executions")).json() == {"items": [], "next": None}


async def test_a_start_says_where_its_execution_is(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        answer = await there.api.post(f"{WORKFLOWS}/sample/executions")
        assert answer.status_code == 202
        shown = await there.api.get(answer.headers["location"])
        assert (shown.json()["id"], shown.json()["input"]) == (answer.json()["id"], None)


# ---------------------------------------------------------------- nonsense

EXECUTIONS = "/v1/namespaces/tests/executions"
EVENTS = "/v1/namespaces/tests/events"
ID = "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"


@pytest.fixture(scope="module")
async def asked(postgres: str, migrated_store: str) -> AsyncIterator[World]:
    """One world for all that it refuses, since nothing of it stays."""
    with database(postgres, like=migrated_store) as url:
        async with world(url) as there:
            await there.deploy(GREET)
            yield there


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("PUT", WORKFLOWS, {}, 405, "method.not_allowed"),
        ("POST", WORKFLOWS, {"content": "x", "headers": {"content-type": "text/csv"}}, 415, "content_type.unsupported"),
        ("POST", WORKFLOWS, {"content": "{", "headers": {"content-type": "application/json"}}, 422, "document.invalid"),
        ("POST", WORKFLOWS, {"content": b"\xff\xfe\x00", "headers": YAML}, 422, "document.invalid"),
        ("GET", f"{WORKFLOWS}/none", {}, 404, "not_found"),
        ("GET", f"{WORKFLOWS}/a%00b", {}, 404, "not_found"),
        ("GET", f"{WORKFLOWS}?limit=many", {}, 400, "input.invalid"),
        ("GET", f"{WORKFLOWS}?cursor=%21%21", {}, 400, "input.invalid"),
        ("POST", f"{WORKFLOWS}/none/executions", {}, 404, "not_found"),
        (
            "POST",
            f"{WORKFLOWS}/sample/executions",
            {"content": "{", "headers": {"content-type": "application/json"}},
            400,
            "input.invalid",
        ),
        ("POST", f"{WORKFLOWS}/sample/executions", {"content": "{}"}, 415, "content_type.unsupported"),
        ("POST", f"{WORKFLOWS}/sample/executions?wait=soon", {}, 400, "input.invalid"),
        ("POST", f"{WORKFLOWS}/sample/executions?wait=1000s", {}, 400, "input.invalid"),
        ("POST", f"{WORKFLOWS}/sample/executions?version=9", {}, 404, "not_found"),
        ("GET", f"{EXECUTIONS}?cursor=bm9uc2Vuc2U", {}, 400, "input.invalid"),
        ("GET", f"{EXECUTIONS}?phase=asleep", {}, 400, "input.invalid"),
        ("GET", f"{EXECUTIONS}?limit=0", {}, 400, "input.invalid"),
        ("GET", f"{EXECUTIONS}/not-an-id", {}, 404, "not_found"),
        ("GET", f"{EXECUTIONS}/{ID}", {}, 404, "not_found"),
        ("POST", f"{EXECUTIONS}/{ID}/cancel", {}, 404, "not_found"),
        ("POST", f"{EXECUTIONS}/{ID}/cancel", {"json": [1]}, 400, "input.invalid"),
        ("POST", EVENTS, {"json": {"type": "x"}}, 400, "event.invalid"),
        (
            "POST",
            EVENTS,
            {"content": "{", "headers": {"content-type": "application/cloudevents+json"}},
            400,
            "event.invalid",
        ),
        ("POST", "/events", {"content": b"x"}, 400, "event.invalid"),
        ("POST", "/dead-letters", {"content": b"x"}, 400, "event.invalid"),
    ],
)
async def test_nonsense_is_a_problem_document(
    asked: World, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    is_problem(await asked.api.request(method, path, **options), status, code)


async def endless() -> AsyncIterator[bytes]:
    for _ in range(400):
        yield b" " * 65536


@pytest.mark.parametrize("path", [WORKFLOWS, f"{WORKFLOWS}/sample/executions", EVENTS])
async def test_a_body_that_is_too_large_is_refused_while_it_streams(asked: World, path: str) -> None:
    headers = {"content-type": "application/json", "ce-specversion": "1.0"}
    is_problem(await asked.api.post(path, content=b" " * 20_000_000, headers=headers), 413, "input.too_large")
    is_problem(await asked.api.post(path, content=endless(), headers=headers), 413, "input.too_large")


# ---------------------------------------------------------------- health, outage, OpenAPI


async def test_the_process_survives_an_outage_of_postgresql(postgres: str, control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        assert (await there.api.get("/readyz")).status_code == 200
        with outage(postgres, control_store):
            is_problem(await there.api.get(f"{WORKFLOWS}/sample"), 503, "unavailable")
            is_problem(await there.api.post(f"{WORKFLOWS}/sample/executions"), 503, "unavailable")
            ready = is_problem(await there.api.get("/readyz"), 503, "unavailable")
            assert "control store" in ready["detail"]
            assert (await there.api.get("/livez")).status_code == 200
        async for attempt in eventually():
            with attempt:
                assert (await there.api.get("/readyz")).status_code == 200
        started = await there.start()
        await there.until(started["id"], "completed", 20)


async def test_a_process_that_is_ending_is_not_ready_and_says_so(control_store: str) -> None:
    async with world(control_store) as there:
        there.service.stop()
        assert "ending" in is_problem(await there.api.get("/readyz"), 503, "unavailable")["detail"]
        assert (await there.api.get("/livez")).status_code == 200


async def test_a_store_without_tables_says_so(own_control_store: str) -> None:
    async with world(own_control_store) as there:
        from sqlalchemy import text

        await there.service.desk.database.run(lambda tx: tx.execute(text("DROP TABLE executions CASCADE")))
        assert "migrations" in is_problem(await there.api.get("/readyz"), 503, "unavailable")["detail"]


async def test_the_openapi_document_shows_every_route_with_examples(control_store: str) -> None:
    async with world(control_store) as there:
        shown = (await there.api.get("/v1/openapi.json")).json()
        assert {"/v1/validate", "/v1/namespaces/{namespace}/workflows", "/events", "/livez"} <= set(shown["paths"])
        start = shown["paths"]["/v1/namespaces/{namespace}/workflows/{name}/executions"]["post"]
        assert start["requestBody"]["content"]["application/json"]["example"] == {"name": "Ada"}
        assert shown["components"]["schemas"]["Execution"]["example"]["phase"] == "completed"
        text = json.dumps(shown)
        assert "application/problem+json" in text
        for path, operations in shown["paths"].items():
            for operation in operations.values():
                assert operation.get("description"), path


async def test_answers_to_the_broker_have_no_body(control_store: str) -> None:
    async with world(control_store) as there:
        answer = await there.tick()
        assert (answer.status_code, answer.content) == (202, b"")


async def test_many_clients_at_once_are_served(control_store: str) -> None:
    async with world(control_store, connections=2) as there:
        await there.deploy(GREET)

        async def one(world_: World) -> str:
            return str((await world_.start())["id"])

        ids = await asyncio.gather(*(one(there) for _ in range(60)))
        for execution in ids:
            await there.until(execution, "completed", 30)
