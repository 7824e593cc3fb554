"""Nobody who looks at a running platform reads a secret: not in analytics, not over HTTP, not in the logs."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from lowtide.local.options import Options
from lowtide.local.platform import Platform
from tests.eventually import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.platform, pytest.mark.timeout(240)]

SECRET = "tr0ub4dor&3-horse"
HEAD = "document: {{dsl: '1.0.3', namespace: default, name: {name}, version: '1.0.0'}}\nuse: {{secrets: [shop]}}\n"

WORKFLOWS = {
    "raising": """
do:
  - take: {set: {x: '${ "the key is " + $secrets.shop.key }'}}
  - fail: {raise: {error: {type: 'https://example.com/errors/closed', status: 403, detail: '${ .x }'}}}
""",
    "failing": """
do:
  - count: {set: {n: '${ $secrets.shop.key | tonumber }'}}
""",
    "calling": """
do:
  - call:
      call: http
      with: {method: get, endpoint: '${ "http://127.0.0.1:1/" + ($secrets.shop.key | @uri) }'}
""",
    "putting-out": """
do:
  - take:
      set:
        text: '${ "Bearer " + $secrets.shop.key }'
        basic: '${ ("ada:" + $secrets.shop.key) | @base64 }'
        whole: '${ {($secrets.shop.key): [$secrets]} }'
        input: '${ . }'
""",
    "retrying": """
do:
  - again:
      try:
        - fail: {set: {n: '${ $secrets.shop.key | tonumber }'}}
      catch: {retry: {limit: {attempt: {count: 1}}}, do: [{done: {set: {caught: '${ $error.detail }'}}}]}
""",
    "parent": """
do:
  - take: {set: {key: '${ $secrets.shop.key }'}}
  - child: {run: {workflow: {namespace: default, name: child, version: '1.0.0', input: {given: '${ .key }'}}}}
  - look: {set: {same: '${ .given == $secrets.shop.key }', given: '${ .given }'}}
""",
    "child": """
do:
  - rest: {wait: {milliseconds: 10}}
""",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", ignore_cleanup_errors=True) as made:
        yield Path(made)


async def test_a_secret_is_read_in_no_table_of_analytics_no_answer_and_no_log(folder: Path) -> None:
    (folder / "secrets" / "shop").mkdir(parents=True)
    (folder / "secrets" / "shop" / "key").write_text(SECRET + "\n")
    options = Options(
        data_directory=folder / "data",
        port=0,
        grpc_port=0,
        secrets_directory=folder / "secrets",
        fsync=False,
        extra={"LOWTIDE_TICK_HORIZON": "7"},
    )
    async with Platform(options) as running, httpx.AsyncClient(base_url=running.url, timeout=90) as client:
        shown = {name: await started(client, name, text) for name, text in WORKFLOWS.items()}
        assert {name: one["phase"] for name, one in shown.items()} == {
            **dict.fromkeys(("raising", "failing", "calling"), "faulted"),
            **dict.fromkeys(("putting-out", "retrying", "parent", "child"), "completed"),
        }
        assert shown["raising"]["error"]["detail"] == "the key is ***"
        assert shown["putting-out"]["output"]["text"] == "Bearer ***"
        assert shown["putting-out"]["input"] == {"mine": "***"}
        assert shown["parent"]["output"] == {"same": True, "given": "***"}, "a child's answer is not masked for it"

        answers = [str(one) for one in shown.values()]
        answers += [await read(client, "/executions"), await read(client, "/executions?phase=faulted")]
        for one in shown.values():
            answers.append(await read(client, f"/executions/{one['id']}"))
            answers.append(await read(client, f"/executions/{one['id']}/journal"))
        rows = await analytics(running.databases.analytics, len(shown))
        assert "cannot be parsed as a number" in rows
        assert "the key is ***" in rows
        for path in (*analytics_paths(shown["raising"]["id"]), *analytics_paths(shown["failing"]["id"])):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            answers.append(answer.text)
    logs = [path.read_text() for path in (folder / "data" / "logs").iterdir()]
    assert logs
    for text in (*answers, rows, *logs):
        assert not leaked(text), text


def leaked(text: str) -> bool:
    """Whether the secret or a telling part of it is there, as it is or as base64 within ``ada:…``."""
    encoded = base64.b64encode(f"ada:{SECRET}".encode()).decode()
    return any(part in text for part in (SECRET, SECRET[:8], "%263-horse", encoded[8:20]))


async def started(client: httpx.AsyncClient, name: str, text: str) -> dict[str, Any]:
    document, headers = HEAD.format(name=name) + text, {"content-type": "application/yaml"}
    if name == "parent":
        answer = await client.post(
            "/v1/namespaces/default/workflows",
            content=HEAD.format(name="child") + WORKFLOWS["child"],
            headers=headers,
        )
        assert answer.status_code == 201, answer.text
    answer = await client.post("/v1/namespaces/default/workflows", content=document, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    answer = await client.post(
        f"/v1/namespaces/default/workflows/{name}/executions", params={"wait": "60s"}, json={"mine": SECRET}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def read(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(f"/v1/namespaces/default{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def analytics_paths(execution: str) -> list[str]:
    base = "/analytics/v1/namespaces/default/executions"
    return [base, f"{base}/{execution}", f"{base}/{execution}/timeline", f"{base}/{execution}/logs"]


async def analytics(url: str, executions: int) -> str:
    """Every row of every table, as text, once all executions have ended there."""
    async for attempt in eventually(60):
        with attempt:
            found = await asyncio.to_thread(_rows, url)
            assert found["executions"].count("faulted") + found["executions"].count("completed") > executions
            assert "faulted" in found["task_facts"]
    return "\n".join(found.values())


def _rows(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        ).fetchall()
        return {
            name: "\n".join(
                str(row) for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))
            )
            for (name,) in tables
        }
