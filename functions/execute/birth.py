"""When this process was born: for the cold start's length."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["since_birth"]


def since_birth() -> float:
    """Seconds since the kernel started this process; 0 where it does not tell (proc(5), field ``starttime``)."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
