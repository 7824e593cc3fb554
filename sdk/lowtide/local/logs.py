"""Log files of child processes.

Children write straight into their file (opened for appending), so that nothing is lost or stuck when this process is
busy or dies. The file stays bounded: what is beyond the limit moves to ``NAME.log.1``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import IO, Final

__all__ = ["LogFile"]

_LIMIT: Final = 8 * 1024 * 1024
_TAIL: Final = 16 * 1024


class LogFile:
    """One service's lines, over all its processes."""

    def __init__(self, path: Path, limit: int = _LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._followed = self.size()

    def open(self) -> IO[bytes]:
        """A handle for a child's stdout and stderr."""
        return self.path.open("ab")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def tail(self, since: int = 0, lines: int = 12) -> tuple[str, ...]:
        """The last lines written after offset ``since``, oldest first."""
        if not self.path.exists():
            return ()
        with self.path.open("rb") as file:
            file.seek(max(since if since <= self.size() else 0, self.size() - _TAIL))
            text = file.read().decode(errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-lines:]

    def follow(self) -> list[str]:
        """The whole lines written since the last call."""
        if self.size() <= self._followed:
            self._followed = min(self._followed, self.size())
            return []
        with self.path.open("rb") as file:
            file.seek(self._followed)
            text = file.read(1024 * 1024)
        whole = text[: text.rfind(b"\n") + 1] if b"\n" in text else text if len(text) >= _TAIL else b""
        self._followed += len(whole)
        return whole.decode(errors="replace").splitlines()

    def bound(self) -> None:
        """Copy and truncate when the file is beyond its limit: its writers append, so they go on at the start."""
        if self.size() > self._limit:
            shutil.copyfile(self.path, self.path.with_name(self.path.name + ".1"))
            os.truncate(self.path, 0)
            self._followed = 0
