"""Orchestrate as a process: starts without a database, ends cleanly, leaves nothing behind when killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.eventually import eventually
from tests.integration.orchestrate.world import KEY, World, document, world
from tests.ports import free_port

pytestmark = pytest.mark.anyio

_ROOT = Path(__file__).parents[3]
NAP = document("- nap: {wait: {hours: 1}}\n- done: {set: {woken: true}}")


class Process:
    """One ``python -m functions.orchestrate``."""

    def __init__(self, database: str, broker: str = "http://127.0.0.1:1", execute: str = "http://127.0.0.1:1") -> None:
        self.port = free_port()
        settings = {
            "KEY": KEY.decode(),
            "CONTROL_URL": database,
            "BROKER_URL": broker,
            "EXECUTE_URL": execute,
            "INGEST_TARGET": "127.0.0.1:1",
            "HOST": "127.0.0.1",
        }
        environment = {f"LOWTIDE_{name}": value for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "functions.orchestrate"],
            cwd=_ROOT,
            env={**os.environ, **environment, "PORT": str(self.port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.api = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    async def alive(self) -> Process:
        async for attempt in eventually(60):
            with attempt:
                try:
                    assert (await self.api.get("/livez")).status_code == 200
                except httpx.TransportError as error:
                    raise AssertionError(error) from error
        return self

    async def ended(self, seconds: float = 20) -> tuple[int, str]:
        """The exit code and what it said."""
        _, said = await asyncio.to_thread(self.process.communicate, None, seconds)
        return self.process.returncode, said


@contextlib.asynccontextmanager
async def running(database: str, **peers: Any) -> AsyncIterator[Process]:
    process = Process(database, **peers)
    try:
        yield await process.alive()
    finally:
        await process.api.aclose()
        if process.process.poll() is None:
            process.process.kill()
        assert process.process.stderr is not None
        process.process.stderr.close()
        process.process.wait()


async def parked(there: World) -> str:
    """An execution that waits for an hour."""
    await there.deploy(NAP)
    started = await there.start()
    await there.until(started["id"], "waiting")
    return str(started["id"])


async def test_without_a_database_it_lives_and_says_why_it_is_not_ready() -> None:
    async with running("postgresql://nobody@127.0.0.1:1/none") as process:
        answer = await process.api.get("/readyz")
        assert answer.status_code == 503
        assert "control store" in answer.json()["detail"]
        process.process.send_signal(signal.SIGTERM)
        code, said = await process.ended()
        assert code == 0, said
        assert "Traceback" not in said


async def test_missing_settings_are_all_named() -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "functions.orchestrate"],
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "LOWTIDE_KEY is not set" in done.stderr
    assert "LOWTIDE_CONTROL_URL is not set" in done.stderr


async def test_sigterm_lets_a_held_tick_go_and_gives_the_timers_back(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await parked(there)
        await _due_in(there, 60)
        there.broker.paused = True
        async with running(control_store, broker=there.broker.url, execute=there.execute.url) as process:
            tick = asyncio.create_task(_tick(process))
            async for attempt in eventually():
                with attempt:
                    assert await _claimed(there) == 1
            process.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert (await tick).status_code == 202
            code, said = await process.ended()
            assert (code, "Traceback" in said) == (0, False), said
            assert time.monotonic() - began < 10
        assert await _claimed(there) == 0
        assert len(there.broker.of_type("dev.lowtide.tick.v1")) == 1, "somebody else is asked to hold them"
        assert (await there.show(execution))["phase"] == "waiting"


async def test_a_killed_process_loses_no_timer(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await parked(there)
        await _due_in(there, 2)
        async with running(control_store, broker=there.broker.url, execute=there.execute.url) as process:
            tick = asyncio.create_task(_tick(process))
            async for attempt in eventually():
                with attempt:
                    assert await _claimed(there) == 1
            process.process.kill()
            with pytest.raises(httpx.TransportError):
                await tick
        # The claim runs out 15 s after the timer is due; a tick that comes then fires it.
        await _forget_claims(there)
        await there.tick()
        await there.until(execution, "completed")


async def _tick(process: Process) -> httpx.Response:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/t", "ce-type": "dev.lowtide.tick.v1"}
    return await process.api.post("/events", headers=headers)


async def _sql(there: World, statement: str) -> Any:
    from sqlalchemy import text

    return await there.service.desk.database.run(lambda tx: tx.execute(text(statement)))


async def _due_in(there: World, seconds: int) -> None:
    await _sql(there, f"UPDATE timers SET due = clock_timestamp() + interval '{seconds} s'")


async def _claimed(there: World) -> int:
    found = await _sql(there, "SELECT count(*) FROM timers WHERE claimed_until > clock_timestamp()")
    return int(found.scalar_one())


async def _forget_claims(there: World) -> None:
    await _sql(there, "UPDATE timers SET claimed_until = clock_timestamp()")
