"""Where tests keep their files: in memory where there is room, since a database is made for most of them.

On a disk, the copying of an empty PostgreSQL database alone costs more processor time than most tests.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import pytest

__all__ = ["roomy"]

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 4 << 30
"""Bytes: the laptop platforms of several tests at once, with a margin."""


def pytest_configure(config: pytest.Config) -> None:
    if "TMPDIR" not in os.environ and roomy(_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)  # the programs that tests start inherit it


def roomy(folder: Path) -> bool:
    """Whether files may be made and programs be run there, and there is room for all of them."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    system = os.statvfs(folder)
    return not system.f_flag & os.ST_NOEXEC and system.f_bavail * system.f_frsize >= _ROOM
