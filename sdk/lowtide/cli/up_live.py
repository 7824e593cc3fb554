"""What ``lowtide up`` does while it runs: signals, and a line that shows how many processes there are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lowtide.local.options import Options
from lowtide.local.platform import Platform
from lowtide.local.services import Name
from lowtide.runtime import loops

__all__ = ["counts", "serve"]

_KILLED: Final = 130
_LOOK: Final = 0.25


def serve(options: Options, modules: Mapping[Name, str] | None = None) -> int:
    """Until SIGINT or SIGTERM; returns the exit code. Takes and raises what :class:`Platform` does."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return loops.run(_serve(options, modules, Console(highlight=False)))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all has ended: an impatient Ctrl-C is no error now


async def _serve(options: Options, modules: Mapping[Name, str] | None, console: Console) -> int:
    signals = _Signals()
    platform = Platform(options, lambda line: console.print(Text(line), soft_wrap=True), modules)
    running = asyncio.ensure_future(_run(platform, console))
    await signals.first(running)
    if running.done():
        return await running
    console.print("ending; Ctrl-C again to kill", style="dim")
    running.cancel()
    await signals.second(running)
    if not running.done():
        platform.kill()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    console.print("ended")
    return _KILLED if signals.count > 1 else 0


async def _run(platform: Platform, console: Console) -> int:
    async with platform:
        if console.is_terminal:
            await _show_live(platform, console)
        else:
            await _show_lines(platform, console)
    return 0


async def _show_live(platform: Platform, console: Console) -> None:
    with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:
        shown = ""
        while True:
            if (line := counts(platform)) != shown:
                shown = line
                live.update(Text(line, style="bold"), refresh=True)
            await asyncio.sleep(_LOOK)


async def _show_lines(platform: Platform, console: Console) -> None:
    """Without a terminal: one line per change of what runs."""
    shown = ""
    while True:
        line = counts(platform, requests=False)
        if line != shown:
            shown = line
            console.print(Text(line), soft_wrap=True)
        await asyncio.sleep(_LOOK)


def counts(platform: Platform, requests: bool = True) -> str:
    """``execute 2 (31 requests)   ingest 1   orchestrate 1   analytics 0``"""
    parts = []
    for name, pool in platform.pools.items():
        serving = sum(instance.state == "ready" for instance in pool.instances)
        text = f"{name} {serving}"
        if pool.waiting and not serving:
            text += " starting" if not requests else f" starting for {pool.waiting}"
        elif requests and pool.in_flight and pool.service.protocol == "http":
            text += f" ({pool.in_flight})"
        parts.append(text)
    return "   ".join(parts)


class _Signals:
    """Counts SIGINT and SIGTERM while the loop runs."""

    def __init__(self) -> None:
        self.count = 0
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._note)

    async def first(self, running: asyncio.Future[int]) -> None:
        """Returns at the next signal, or when ``running`` ends by itself."""
        await self._signal_or(running)

    async def second(self, running: asyncio.Future[int]) -> None:
        self._arrived.clear()
        await self._signal_or(running)

    async def _signal_or(self, running: asyncio.Future[int]) -> None:
        arrived: asyncio.Future[object] = asyncio.ensure_future(self._arrived.wait())
        waited: set[asyncio.Future[Any]] = {arrived, running}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()

    def _note(self) -> None:
        self.count += 1
        self._arrived.set()
