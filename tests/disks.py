"""A disk that is as small as a test wants, for a database of the tests' own PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

__all__ = ["SmallDisk", "small_disk"]


class SmallDisk:
    """A file system in memory, and the tablespace on it."""

    def __init__(self, server: str, folder: Path, name: str) -> None:
        self._server, self._folder, self._name = server, folder, name
        self._ballast = folder / "ballast"

    def take(self, url: str) -> None:
        """Move the database of ``url``, to which nobody is connected, onto this disk."""
        database = str(conninfo_to_dict(url)["dbname"])
        move = sql.SQL("ALTER DATABASE {} SET TABLESPACE {}")
        _execute(self._server, move.format(sql.Identifier(database), sql.Identifier(self._name)))

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(64 * 1024))

    def clear(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(server: str, megabytes: int) -> Iterator[SmallDisk]:
    """Databases on it are to be dropped before this ends. Skips the test where no file system can be mounted."""
    if os.environ.get("LOWTIDE_TEST_DATABASE_URL"):
        pytest.skip("PostgreSQL may be on another machine, and its disk cannot be filled")
    made = Path(tempfile.mkdtemp(prefix="lowtide-disk-", dir="/var/tmp"))
    name = f"disk_{uuid.uuid4().hex[:12]}"
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(made)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        if not mounted:
            pytest.skip("no file system can be mounted here")
        folder = made / "tablespace"
        folder.mkdir()
        with psycopg.connect(server) as connection:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        owner = Path(data).stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        made.chmod(0o755)
        create = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
        _execute(server, create.format(sql.Identifier(name), sql.Literal(str(folder))))
        try:
            yield SmallDisk(server, made, name)
        finally:
            _execute(server, sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(name)))
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(made)], check=True)
        shutil.rmtree(made, ignore_errors=True)


def _execute(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
