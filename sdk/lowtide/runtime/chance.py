"""Randomness: the only place that draws it. Numbers that the engine uses are journaled with the event."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable

from lowtide.model.base import ExecutionId, Millis

__all__ = ["new_execution_id", "new_owner", "uniform"]

uniform: Callable[[], float] = random.random
"""A number uniform in [0, 1)."""

_lock = threading.Lock()
_last = (0, 0)


def new_execution_id(now: Millis) -> ExecutionId:
    """A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, then a 12-bit counter within the millisecond, then chance."""
    global _last
    with _lock:
        millis, counter = max(int(now), _last[0]), 0
        if millis == _last[0]:
            counter = _last[1] + 1
            if counter > 0xFFF:
                millis, counter = millis + 1, 0
        _last = (millis, counter)
    tail = secrets.randbits(62)
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    text = f"{value:032x}"
    return ExecutionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_owner() -> str:
    """The name of one process on its leases."""
    return secrets.token_hex(8)
