"""A PostgreSQL of its own, which the platform is given, and which can fail in the two ways that servers fail in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from lowtide.local.datadir import DataDirectory
from lowtide.local.postgres import Postgres

__all__ = ["Server", "server"]


class Server:
    """``url`` is that of its maintenance database."""

    def __init__(self, postgres: Postgres, url: str) -> None:
        self.url = url
        self._postgres = postgres

    async def hang(self, seconds: float) -> None:
        """It accepts connections, for that the kernel does, and says nothing more (SIGSTOP, SIGCONT)."""
        assert self._postgres.pid is not None
        head = psutil.Process(self._postgres.pid)
        head.suspend()  # first, so that there are no further children
        children = head.children()
        for child in children:
            child.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            for process in (*children, head):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    async def leave(self, seconds: float) -> None:
        """It cuts its sessions and ends; connections are refused until it is started again."""
        loop = asyncio.get_running_loop()
        back = loop.time() + seconds
        await self._postgres.stop()
        await asyncio.sleep(back - loop.time())
        await self._postgres.start()


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    """``folder`` must have a short path: PostgreSQL's socket is in it, and stays where it is."""
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    try:
        yield Server(postgres, await postgres.start())
    finally:
        await postgres.stop()
        directory.release()
