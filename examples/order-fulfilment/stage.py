"""Where the demo plays: the whole platform and the shop, on free ports and in a folder of their own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowtide.clients.http import HttpClient
from lowtide.errors import Unavailable
from lowtide.local.options import Options
from lowtide.local.platform import Platform
from lowtide.local.ports import Reserved
from lowtide.model.base import JSON

__all__ = ["Stage", "processes_of", "stage"]

_HERE: Final = Path(__file__).parent
_IDLE: Final = 2.0
"""Seconds without work after which a process ends; short, so that one sees it happen."""


@dataclass(frozen=True)
class Stage:
    """``shop`` is the shop's URL, ``log`` the file of its calls."""

    platform: Platform
    shop: str
    log: Path

    async def processes(self) -> dict[str, list[dict[str, JSON]]]:
        """The living processes of each service: pid, state, inFlight."""
        return processes_of(await self.platform.status())


@contextlib.asynccontextmanager
async def stage(folder: Path, say: Callable[[str], None], *, delay: float, tick: float) -> AsyncIterator[Stage]:
    """``delay``: seconds that each call of the shop takes; ``tick``: seconds between two ticks of the platform."""
    options = Options(
        data_directory=folder / "platform",
        port=0,
        grpc_port=0,
        idle=_IDLE,
        tick=tick,
        steps=("steps",),
        path=(_HERE,),
    )
    log = folder / "shop.jsonl"
    async with Platform(options, say) as platform, _shop(log, delay) as url:
        say(f"the shop answers at {url}")
        yield Stage(platform, url, log)


def processes_of(status: dict[str, JSON]) -> dict[str, list[dict[str, JSON]]]:
    """The living processes in the platform's ``/status``, by service."""
    return {
        name: [process for process in service["processes"] if process["pid"] is not None]
        for name, service in status["services"].items()
    }


@contextlib.asynccontextmanager
async def _shop(log: Path, delay: float) -> AsyncIterator[str]:
    with Reserved() as reserved:
        async with _shop_at(reserved.port, log, delay) as url:
            yield url


@contextlib.asynccontextmanager
async def _shop_at(port: int, log: Path, delay: float) -> AsyncIterator[str]:
    command = [sys.executable, str(_HERE / "shop.py"), "--port", str(port), "--log", str(log), "--delay", str(delay)]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        async with HttpClient(url, attempts=20) as client:
            await client.request("GET", "/livez")
        if process.returncode is not None:
            raise Unavailable("the shop did not start; its message stands above")
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
