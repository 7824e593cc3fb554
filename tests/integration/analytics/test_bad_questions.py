"""Whatever is wrong, the answer is a problem document: nonsense, a database that is away, a question too heavy."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import text

from analytics_api.cursors import ExecutionKey, TaskKey, of
from analytics_api.migrate import migrate
from analytics_api.store import Store
from lowtide.errors import Unavailable
from lowtide.storage.database import Database, kept_alive
from tests.databases import hang, outage
from tests.eventually import eventually
from tests.integration.analytics.reports import NOON, Reports, answering, serving

_MAX = uuid4()


def _code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert {"type", "title", "code"} <= document.keys()
    return answer.status_code, document["code"]


@pytest.mark.parametrize(
    "question",
    [
        "executions?cursor=nonsense",
        "executions?cursor=%F0%9F%8C%8A",
        "executions?cursor=" + "A" * 5000,
        f"executions?cursor={of(TaskKey(3))}",
        f"executions?cursor={of(ExecutionKey('created desc', NOON.replace(tzinfo=None), _MAX))}",
        f"executions?sort=cost&cursor={of(ExecutionKey('created desc', NOON, _MAX))}",
        f"executions?sort=cost&cursor={of(ExecutionKey('cost desc', NOON, _MAX))}",
        "executions?sort=age",
        "executions?tag=red",
        "executions?tag=a=%00",
        "executions?minDurationMs=-1",
        "executions?minGbSeconds=NaN",
        "exports/executions?format=xls",
        "exports/executions?limit=3",
        "executions?limit=0",
        "executions?limit=a",
        "executions?limit=100000",
        "executions?phase=gone",
        "executions?status=faulted",
        "executions?parent=mum",
        "executions?workflow=a%00b",
        "executions?from=yesterday",
        "executions?from=2026-11-23T12:00:00",
        "executions?to=0001-01-01T00:00:00%2B14:00",
        "executions?to=2026-11-23T12:00:00+01:00",
        "series?from=2026-11-23T12:00:00Z&to=2026-11-23T12:00:00Z",
        "series?from=2026-11-20T12:00:00Z&to=2026-11-23T12:00:00Z",
        "series?cursor=" + "W10",
    ],
)
def test_a_wrong_question_is_refused_with_the_reason(api: httpx.Client, question: str) -> None:
    assert _code(api.get(f"/v1/namespaces/shop/{question}")) == (400, "input.invalid")


def test_a_timeline_cursor_beyond_all_numbers_is_refused(api: httpx.Client, reports: Reports) -> None:
    path = f"/v1/namespaces/shop/executions/{reports.execution()}"
    cursor = of(TaskKey(2**63))
    assert _code(api.get(f"{path}/timeline", params={"cursor": cursor or ""})) == (400, "input.invalid")
    assert _code(api.get(f"{path}/logs?level=loud")) == (400, "input.invalid")


@pytest.mark.parametrize("path", ["", "/timeline", "/logs"])
@pytest.mark.parametrize("execution", ["01a208a7-a070-7000-a22a-5bf54c816dfd", "order-17", "%00"])
def test_an_unknown_execution_is_not_found(api: httpx.Client, execution: str, path: str) -> None:
    assert _code(api.get(f"/v1/namespaces/shop/executions/{execution}{path}")) == (404, "not_found")


def test_what_is_no_part_of_the_api_says_so(api: httpx.Client) -> None:
    assert _code(api.get("/v2/everything")) == (404, "not_found")
    refused = api.post("/v1/namespaces/shop/executions", content=b"x")
    assert _code(refused) == (405, "method.not_allowed")
    assert refused.headers["allow"] == "GET"


def test_the_openapi_shows_errors_as_problem_documents_with_examples(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()
    questions = [
        verbs["get"] for path, verbs in described["paths"].items() if path.startswith("/v1") and "get" in verbs
    ]
    assert len(questions) >= 7
    for question in questions:
        assert "422" not in question["responses"]
        for status in ("4XX", "503"):
            assert question["responses"][status]["content"]["application/problem+json"]["examples"]
    assert described["components"]["schemas"]["Execution"]["properties"]["workflow"]["examples"] == ["fulfil-order"]


def test_without_its_database_it_says_so_and_recovers_by_itself(postgres: str, own_store: str) -> None:
    question = "/v1/namespaces/shop/executions"
    with answering(own_store) as api:
        assert api.get(question).status_code == 200
        with outage(postgres, own_store):
            refused = api.get(question)
            assert _code(refused) == (503, "unavailable")
            assert refused.headers["retry-after"] == "2"
            assert _code(api.get("/readyz")) == (503, "unavailable")
            assert api.get("/livez").status_code == 200
        assert api.get(question).status_code == 200
        assert api.get("/readyz").json() == {"status": "ready"}


def test_a_store_without_tables_is_not_ready_until_it_was_migrated(databases: Callable[[], str]) -> None:
    url = databases()
    with answering(url) as api:
        refused = api.get("/readyz")
        assert _code(refused) == (503, "unavailable")
        assert "run its migrations" in refused.json()["detail"]
        migrate(url)
        assert api.get("/readyz").status_code == 200


def test_a_question_that_takes_too_long_is_given_up(own_store: str) -> None:
    with answering(own_store, LOWTIDE_STATEMENT_TIMEOUT="0.3") as api:
        with psycopg.connect(own_store) as blocker:
            blocker.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
            refused = api.get("/v1/namespaces/shop/executions")
            assert _code(refused) == (503, "unavailable")
            assert "longer than 0.3 s" in refused.json()["detail"]
        assert api.get("/v1/namespaces/shop/executions").status_code == 200


@pytest.mark.anyio
async def test_a_database_that_hangs_holds_no_question_for_longer_than_it_may(
    postgres: str, fresh_database: str
) -> None:
    """Neither the one that was under way, nor the next, for which there is no connection."""
    store = Store(fresh_database, connections=1, statement_timeout=0.2, margin=0.2)
    alerts = Database("analytics", fresh_database, 1, longest=0.4)

    async def asked() -> None:
        assert [dict(row) for row in await store.ask(text("SELECT 1 AS one"))] == [{"one": 1}]

    async def written() -> None:
        await alerts.run(lambda connection: connection.execute("SELECT 1"))

    try:
        await asyncio.gather(asked(), written())
        with hang(postgres, fresh_database):
            async with asyncio.timeout(4):  # the driver by itself asks the server to stop, and waits for that
                failed = await asyncio.gather(asked(), asked(), written(), written(), return_exceptions=True)
        assert [type(error) for error in failed] == [Unavailable] * 4
        assert all("does not answer" in str(error) for error in failed)
        async for attempt in eventually():
            with attempt:
                try:
                    await asyncio.gather(asked(), written())
                except Unavailable as error:
                    raise AssertionError from error
    finally:
        await store.close()
        await alerts.close()


@pytest.mark.anyio
async def test_connections_notice_by_themselves_that_the_machine_of_the_database_is_gone(fresh_database: str) -> None:
    store = Store(fresh_database.replace("postgresql://", "postgresql+psycopg://"), connections=1, statement_timeout=5)
    async with store.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        said = raw.driver_connection.info.get_parameters()  # type: ignore[union-attr]  # untyped there
    await store.close()
    assert {name: str(value) for name, value in kept_alive("").items()}.items() <= said.items()


def test_sigterm_lets_a_question_finish(own_store: str) -> None:
    answers: list[int] = []
    with psycopg.connect(own_store) as blocker, serving(own_store) as api:
        blocker.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
        asked = threading.Thread(target=lambda: answers.append(api.get("/v1/namespaces/shop/executions").status_code))
        asked.start()
        _await_blocked(own_store)
        threading.Timer(0.5, blocker.commit).start()  # after the SIGTERM that the end of this block sends
    asked.join()
    assert answers == [200]


def _await_blocked(url: str) -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        until = time.monotonic() + 10
        while connection.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < until
            time.sleep(0.01)
