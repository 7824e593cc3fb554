"""How one execution of a server looks on the terminal, at rest and while it is followed."""

from __future__ import annotations

import asyncio
from typing import Final

from lowtide.cli.shown import show_json, show_table
from lowtide.clients.orchestrate import Orchestrate
from lowtide.model.base import JSON
from lowtide.model.phase import ENDED

__all__ = ["follow", "show_execution"]

_PERIOD: Final = 0.5
"""Seconds between two looks at an execution that is followed."""


def show_execution(execution: dict[str, JSON], timeline: list[dict[str, JSON]]) -> None:
    """Heading, times, what it waits for, timeline, then its error or output."""
    print(f"{execution['workflow']} {execution.get('version', '')}  {execution['phase']}  {execution['id']}")
    for name in ("createdAt", "startedAt", "endedAt"):
        if execution.get(name):
            print(f"  {name.removesuffix('At'):8} {execution[name]}")
    if execution.get("reason"):
        print(f"  reason   {execution['reason']}")
    for waiting in execution.get("waitingFor") or []:
        print(f"  waiting  {_waiting(waiting)}")
    if timeline:
        print()
        show_table(("TASK", "STATUS", "ATTEMPT", "STARTED", "ENDED"), [_timeline_row(row) for row in timeline])
    for name in ("error", "output"):
        if execution.get(name) is not None:
            print(f"\n{name}")
            show_json(execution[name])


async def follow(server: str, namespace: str, execution: str, timeout: float | None) -> str:
    """Print every change of phase until the execution ends or ``timeout`` seconds passed; the last phase."""
    phase = ""
    async with Orchestrate(server, attempts=10) as api:
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        while True:
            found = await api.execution(namespace, execution)
            if found["phase"] != phase:
                phase = found["phase"]
                awaited = "; ".join(_waiting(waiting) for waiting in found.get("waitingFor") or [])
                print(f"{phase}: {awaited}" if awaited else phase, flush=True)
            if phase in ENDED:
                if found.get("error") is not None:
                    show_json(found["error"])
                elif phase == "completed":
                    show_json(found.get("output"))
                return phase
            if until is not None and loop.time() >= until:
                return phase
            await asyncio.sleep(_PERIOD)


def _waiting(waiting: dict[str, JSON]) -> str:
    where = str(waiting.get("command", "")).partition("@")[0]
    until = f" until {waiting['until']}" if waiting.get("until") else ""
    types = f" {', '.join(waiting['types'])}" if waiting.get("types") else ""
    return f"{waiting.get('kind', '')}{types}{until} ({where})"


def _timeline_row(row: dict[str, JSON]) -> tuple[str, str, str, str, str]:
    return (
        str(row.get("reference", "")),
        str(row.get("status", "")),
        str(row.get("attempt", "")),
        str(row.get("startedAt") or ""),
        str(row.get("endedAt") or ""),
    )
