"""Until everything that was begun has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import psycopg

__all__ = ["until_ended"]

_PATIENCE: Final = 300.0
"""Seconds without a further end after which what has not ended is taken for lost."""


async def until_ended(control: str, many: int, say: Callable[[str], None]) -> None:
    """Until all have ended, or none does any more."""
    last, since, told = -1, time.monotonic(), 0.0
    while time.monotonic() - since < _PATIENCE:
        ended = await asyncio.to_thread(_count, control)
        if ended != last:
            last, since = ended, time.monotonic()
        if ended >= many:
            return
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"{ended} of {many} have ended")
        await asyncio.sleep(1)


def _count(control: str) -> int:
    try:
        with psycopg.connect(control, connect_timeout=5) as connection:
            row = connection.execute("SELECT count(*) FROM executions WHERE ended_at IS NOT NULL").fetchone()
    except psycopg.OperationalError:  # it may be the one that was killed
        return -1
    return int(row[0]) if row else 0
