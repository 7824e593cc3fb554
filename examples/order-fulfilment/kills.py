"""Kill -9, in turn, while the orders run: each victim is taken while calls are in flight at the shop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from stage import Stage

from lowtide.clients.http import HttpClient

__all__ = ["VICTIMS", "kill_in_turn"]

VICTIMS: Final = ("execute", "ingest", "orchestrate", "broker")
_LOOK: Final = 0.1
_PAUSE: Final = 1.0
"""Seconds between a kill and the hunt for the next victim."""


async def kill_in_turn(stage: Stage, victims: Sequence[str], say: Callable[[str], None], killed: list[str]) -> None:
    """Kill one process of each victim as soon as the shop is at work and the victim lives; notes them in ``killed``."""
    async with HttpClient(stage.shop) as shop:
        for victim in victims:
            pid = await _at_work(stage, shop, victim)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(victim)
                say(f"[bold red]kill -9[/] {victim} (process {pid})")
            await asyncio.sleep(_PAUSE)


async def _at_work(stage: Stage, shop: HttpClient, victim: str) -> int:
    """The process to kill, once there is one and calls are in flight."""
    while True:
        if (await shop.request("GET", "/livez")).body["inFlight"]:
            status = await stage.platform.status()
            processes = [status["broker"]] if victim == "broker" else status["services"][victim]["processes"]
            for process in processes:
                if process["pid"] is not None and process.get("state", "ready") == "ready":
                    return int(process["pid"])
        await asyncio.sleep(_LOOK)
