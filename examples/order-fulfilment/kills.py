"""Kill -9, in turn, while the orders run: each victim is taken when it is at work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from stage import Stage

__all__ = ["VICTIMS", "kill_in_turn"]

VICTIMS: Final = ("execute", "ingest", "orchestrate", "broker")
_LOOK: Final = 0.05
_PAUSE: Final = 1.0
"""Seconds between a kill and the hunt for the next victim."""


async def kill_in_turn(stage: Stage, victims: Sequence[str], say: Callable[[str], None], killed: list[str]) -> None:
    """Kill one process of each victim as soon as execute is at work and the victim lives; notes them in ``killed``."""
    for victim in victims:
        pid = await _at_work(stage, victim)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(victim)
            say(f"[bold red]kill -9[/] {victim} (process {pid})")
        await asyncio.sleep(_PAUSE)


async def _at_work(stage: Stage, victim: str) -> int:
    while True:
        status = await stage.platform.status()
        busy = status["services"]["execute"]["inFlight"] > 0
        if busy and victim == "broker" and status["broker"]["pid"] is not None:
            return int(status["broker"]["pid"])
        ready = [
            process["pid"]
            for process in status["services"].get(victim, {}).get("processes", [])
            if process["state"] == "ready" and process["pid"] is not None
        ]
        if busy and ready:
            return int(ready[0])
        await asyncio.sleep(_LOOK)
