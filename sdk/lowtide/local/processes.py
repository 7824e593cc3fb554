"""One child process: start it, know when it ends, stop it; and the ledger of all that were started.

A child leads its own session: Ctrl-C on the terminal reaches the platform alone, and whatever a child starts can be
ended with it. Should the platform be killed, the kernel ends its children (Linux: ``PR_SET_PDEATHSIG``, set by
``setpriv``); what it does not end, the next start ends by the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import psutil

from .logs import LogFile

__all__ = ["Child", "Ledger", "start", "until_gone"]

_SAME_START = 1.0  # seconds that two readings of one process's start may differ
_POLL = 0.05
_BECOME = """
import os, sys
user = int(sys.argv[1])
os.setgroups([])
os.setgid(user)
os.setuid(user)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Ledger:
    """One small file per living child: its process id, and when it started (process ids are used again)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            (self.folder / str(pid)).write_text(str(psutil.Process(pid).create_time()))

    def remove(self, pid: int) -> None:
        (self.folder / str(pid)).unlink(missing_ok=True)

    def sweep(self) -> list[int]:
        """End every process that is still noted here; returns those that were."""
        ended = []
        for file in self.folder.iterdir():
            if not file.name.isdecimal():
                continue
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                process = psutil.Process(int(file.name))
                if abs(process.create_time() - float(file.read_text())) < _SAME_START:
                    kill_group(process.pid)
                    until_gone(process, 10.0)
                    ended.append(process.pid)
            file.unlink(missing_ok=True)
        return ended


class Child:
    """A running (or ended) child process. ``tail()`` are its last log lines."""

    def __init__(self, process: asyncio.subprocess.Process, log: LogFile, since: int, ledger: Ledger | None) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log
        self._since = since
        self._ledger = ledger
        self._ended = asyncio.create_task(self._watch())

    @property
    def running(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> int:
        """Its exit code, negative for a signal. Waiting may be cancelled; the child goes on."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float, gently: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; after ``grace`` seconds kill it with all that it started. Returns its exit code."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(gently)
            try:
                return await asyncio.wait_for(self.wait(), grace)
            except TimeoutError:
                self.kill()
        return await self.wait()

    def kill(self) -> None:
        """At once, with all that it started."""
        if self.running:
            kill_group(self.pid)

    def tail(self, lines: int = 12) -> tuple[str, ...]:
        return self._log.tail(self._since, lines)

    async def _watch(self) -> int:
        code = await self._process.wait()
        kill_group(self.pid)  # what it started and left behind
        if self._ledger is not None:
            self._ledger.remove(self.pid)
        return code


async def start(
    argv: Sequence[str],
    environment: Mapping[str, str],
    log: LogFile,
    ledger: Ledger | None,
    *,
    user: int | None = None,
    orphaned: Literal["KILL", "INT"] = "KILL",
) -> Child:
    """Start a child that writes into ``log``. ``orphaned`` is the signal that it gets when the platform dies.

    Raises ``OSError`` where the program cannot be executed.
    """
    since = log.size()
    with log.open() as output:
        process = await asyncio.create_subprocess_exec(
            *_as_user(user, _with_death_signal(argv, orphaned)),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if ledger is not None:
        ledger.add(process.pid)
    return Child(process, log, since, ledger)


def until_gone(process: psutil.Process, timeout: float) -> bool:
    """Wait for the end of a process that is not our child; one that nobody has reaped yet has ended too."""
    for _ in range(int(timeout / _POLL)):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            process.wait(_POLL)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass
        return True
    return False


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _as_user(user: int | None, argv: Sequence[str]) -> list[str]:
    """A program of our own that becomes the user and then what is to be started: not every event loop starts processes
    as another user. The death signal comes after it, since the kernel forgets it where the user changes."""
    return list(argv) if user is None else [sys.executable, "-I", "-S", "-c", _BECOME, str(user), *argv]


def _with_death_signal(argv: Sequence[str], name: str) -> list[str]:
    """setpriv replaces itself by the program, so that the process list shows the program alone."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", name, "--", *argv] if setpriv else list(argv)
