"""Randomness: the only place that draws it. Numbers that the engine uses are journaled with the event."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lowtide.model.base import ExecutionId, Millis

__all__ = ["digits", "new_execution_id", "new_owner", "seeded", "uniform"]

uniform: Callable[[], float] = random.random
"""A number uniform in [0, 1)."""

_lock = threading.Lock()
_last = (0, 0)
_bits: Callable[[int], int] = secrets.randbits


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
    tail = _bits(62)
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    text = f"{value:032x}"
    return ExecutionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_owner() -> str:
    """The name of one process on its leases."""
    return f"{_bits(64):016x}"


def digits(count: int) -> str:
    """Hexadecimal digits, never all of them zero: ids of traces and spans."""
    return f"{_bits(4 * count) or 1:0{count}x}"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For simulations: until the block ends, everything that this process draws follows from ``seed``."""
    global _bits, _last
    before, state = (_bits, _last), random.getstate()
    random.seed(seed)
    _bits, _last = random.Random(seed ^ 0x10_71_DE).getrandbits, (0, 0)
    try:
        yield
    finally:
        _bits, _last = before
        random.setstate(state)
