"""The laptop platform with the real deployables: from zero, through waits, kills and restarts, back to zero."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lowtide.local.options import Options
from lowtide.local.platform import Platform

pytestmark = [pytest.mark.anyio, pytest.mark.platform, pytest.mark.timeout(240)]

NAP = """
document: {{dsl: '1.0.3', namespace: default, name: nap, version: '1.0.0'}}
do:
  - before: {{set: {{name: '${{ .name }}'}}}}
  - rest: {{wait: {{seconds: {seconds}}}}}
  - after: {{set: {{greeting: '${{ "hello " + .name }}'}}}}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Straight under the temporary folder: as root PostgreSQL runs as somebody else, who must reach it."""
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", ignore_cleanup_errors=True) as made:
        yield Path(made) / "data"


@pytest.fixture
def others() -> frozenset[int]:
    """Processes that other tests of the same worker keep, an ingest among them."""
    return frozenset(child.pid for child in psutil.Process().children(recursive=True))


def platform(folder: Path) -> Platform:
    """Short times, so that what takes minutes in production takes seconds here."""
    quick = {"LOWTIDE_TICK_HORIZON": "7", "LOWTIDE_LOST_AFTER": "6"}
    return Platform(Options(data_directory=folder, port=0, grpc_port=0, idle=1.0, tick=6.0, fsync=False, extra=quick))


async def deploy(client: httpx.AsyncClient, document: str) -> None:
    answer = await client.post(
        "/v1/namespaces/default/workflows", content=document, headers={"content-type": "application/yaml"}
    )
    assert answer.status_code in (200, 201), answer.text


async def start(client: httpx.AsyncClient, name: str) -> str:
    answer = await client.post(
        "/v1/namespaces/default/workflows/nap/executions", json={"name": name}, headers={"idempotency-key": name}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(client: httpx.AsyncClient, execution: str, within: float = 90) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        answer = await client.get(f"/v1/namespaces/default/executions/{execution}")
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        if found.get("phase") in ("completed", "faulted", "cancelled", "suspended"):
            return found
        assert time.monotonic() < deadline, found or answer.text
        await asyncio.sleep(0.5)


async def until(probe: Callable[[], object], within: float = 150) -> None:
    deadline = time.monotonic() + within
    while not probe():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def at_zero(running: Platform, others: frozenset[int]) -> bool:
    """No process by the platform's word, and none by the operating system's but ``others``, of other tests."""
    if any(pool.instances for pool in running.pools.values()):
        return False
    for child in psutil.Process().children(recursive=True):
        if child.pid in others:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(part in " ".join(child.cmdline()) for part in ("functions.", "analytics_api")):
                return False
    return True


async def test_nothing_runs_while_executions_wait_and_a_restart_finds_all_of_them(
    folder: Path, others: frozenset[int]
) -> None:
    async with platform(folder) as first, httpx.AsyncClient(base_url=first.url, timeout=60) as client:
        await deploy(client, NAP.format(seconds=20))
        executions = [await start(client, f"n{number}") for number in range(20)]
        await until(lambda: first.pools["execute"].cold_starts > 0)
        await until(lambda: at_zero(first, others))
    assert at_zero(first, others)
    async with platform(folder) as second, httpx.AsyncClient(base_url=second.url, timeout=60) as client:
        outcomes = [await ended(client, execution) for execution in executions]
        assert [outcome["phase"] for outcome in outcomes] == ["completed"] * 20
        assert outcomes[7]["output"] == {"greeting": "hello n7"}
        status = (await client.get("/status")).json()
        assert status["services"]["execute"]["crashes"] == 0
        assert status["broker"]["deadLetters"] == 0
        await until(lambda: at_zero(second, others))
