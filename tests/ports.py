"""Ports for the processes that tests start: given to one test alone, however many run at once."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Final

from lowtide.local.ports import Reserved

__all__ = ["free_port"]

_RESERVED: Final = ExitStack()
atexit.register(_RESERVED.close)


def free_port() -> int:
    """A port on which nobody listens, nor anybody else will while the tests run."""
    return _RESERVED.enter_context(Reserved()).port
