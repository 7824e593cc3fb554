"""The data directory: who holds it, the installation's key, where logs go, which processes belong to it.

.lowtide/
  lock          held (flock) by the running platform, with its process id; gone when it has ended
  key           the shared secret of dispatches and outcomes, for the owner's eyes alone; so are
  operator-token, analysts-password
  postgres/     PostgreSQL's own data directory
  logs/         one file per service
  run/          one file per child process: what a platform that was killed has left behind
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from .logs import LogFile
from .processes import Ledger
from .refusals import DataDirectoryBroken, DataDirectoryInUse

__all__ = ["DataDirectory"]


class DataDirectory:
    """Use :meth:`acquire` before anything else, and :meth:`release` last."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.postgres = self.path / "postgres"
        self.logs = self.path / "logs"
        self.ledger = Ledger(self.path / "run")
        self._lock: IO[str] | None = None

    def acquire(self) -> None:
        """Make the directory, take its lock, and end what a killed platform has left running.

        Raises :class:`DataDirectoryInUse` or :class:`DataDirectoryBroken`.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            for folder in (self.logs, self.ledger.folder):
                folder.mkdir(exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            self.release()
            raise DataDirectoryBroken(
                f"the data directory {self.path} cannot be used: {error.strerror}; choose another with --data-dir"
            ) from error
        self.ledger.sweep()

    def release(self) -> None:
        if self._lock is not None:
            (self.path / "lock").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def secret(self, name: str) -> str:
        """A secret of this installation, as ``key``; made at the first call ever."""
        file = self.path / name
        if not file.exists():
            fresh = file.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(32))
            fresh.rename(file)
        found = file.read_text().strip()
        if not found:
            raise DataDirectoryBroken(f"{file} is empty; remove it, and a new one will be made")
        return found

    def log(self, service: str) -> LogFile:
        return LogFile(self.logs / f"{service}.log")

    def _take_lock(self) -> None:
        """A lock of the kernel's: it is free again the moment its holder dies, however it dies."""
        path = self.path / "lock"
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise DataDirectoryInUse(
                f"the data directory {self.path} is in use by another `lowtide up` (process {holder}); "
                "stop that one, or choose another directory with --data-dir"
            ) from None
        if not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
            file.close()  # its last holder removed it between our two steps
            self._take_lock()
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file
