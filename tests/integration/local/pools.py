"""A pool of fake deployables behind an activator, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import psutil
from aiohttp import ClientSession

from lowtide.local.activator import Activator, http_probe
from lowtide.local.logs import LogFile
from lowtide.local.pool import Pool
from lowtide.local.ports import LOOPBACK, bind
from lowtide.local.processes import Child, Ledger, start
from lowtide.local.programs import command
from lowtide.local.proxy import new_session
from lowtide.local.services import Service
from lowtide.local.serving import serve_ways
from lowtide.local.splice import Splice, tcp_probe
from lowtide.runtime.clock import SystemClock

PROGRAMS: Final = Path(__file__).parent / "programs"


async def eventually(probe: Callable[[], Any], within: float = 15.0) -> Any:
    """The first true value of ``probe``, a function or a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        found = probe()
        found = await found if inspect.isawaitable(found) else found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.02)


def soon(probe: Callable[[], Any], within: float = 15.0) -> Any:
    """:func:`eventually` for tests that wait by themselves."""
    deadline = time.monotonic() + within
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Notes:
    """What fake deployables wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self, **wanted: Any) -> list[dict[str, Any]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        notes = [json.loads(line) for line in lines]
        return [note for note in notes if wanted.items() <= note.items()]


@contextlib.asynccontextmanager
async def pool_of(
    folder: Path, module: str = "fake_http", *, idle: float = 30.0, maximum: int = 4, target: int = 20, **told: str
) -> AsyncIterator[Pool]:
    ledger = Ledger(folder / "run")
    ledger.folder.mkdir()
    log = LogFile(folder / "fake.log")

    async def launch(port: int) -> Child:
        environment = {**os.environ, "PYTHONPATH": str(PROGRAMS), "LOWTIDE_HOST": LOOPBACK, "PORT": str(port)}
        return await start(command(module), {**environment, "NOTES": str(folder / "notes"), **told}, log, ledger)

    async with new_session() as session:
        service = Service("execute", target=target, limit=100, maximum=maximum)
        probe = tcp_probe if module == "fake_grpc" else functools.partial(http_probe, session)
        pool = Pool(service, launch, probe, SystemClock(), idle=idle, start_timeout=20.0)
        try:
            yield pool
        finally:
            await pool.close(5.0)
            assert not list(ledger.folder.iterdir()), "a process is left"


@contextlib.asynccontextmanager
async def fronted(pool: Pool) -> AsyncIterator[ClientSession]:
    """A client of the pool's activator; paths are relative."""
    async with new_session() as upstream:
        activator = Activator(pool, upstream)
        listening = bind(LOOPBACK)
        address = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        end = await serve_ways(activator.way, activator.handle, listening, grace=0.2)
        try:
            async with ClientSession(address, auto_decompress=False) as client:
                yield client
        finally:
            await end()


@contextlib.asynccontextmanager
async def spliced(pool: Pool, quiet: float = 15.0) -> AsyncIterator[str]:
    """host:port of the gRPC front."""
    splice = Splice(pool, quiet)
    server = await asyncio.get_running_loop().create_server(splice.protocol, LOOPBACK, 0)
    try:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
    splice.close()
