"""The data directory and the PostgreSQL inside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from lowtide.local.databases import given_databases, of_server, shown
from lowtide.local.datadir import DataDirectory
from lowtide.local.options import Options
from lowtide.local.postgres import Postgres
from lowtide.local.refusals import DatabaseUnreachable, DataDirectoryBroken, DataDirectoryInUse
from tests.integration.local.pools import alive, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder() -> Iterator[Path]:
    """Straight under the temporary folder: the path of a socket must stay short."""
    made = Path(tempfile.mkdtemp(prefix="lowtide-test-"))
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


HOLDER = """
import asyncio, sys
from pathlib import Path
from lowtide.local.datadir import DataDirectory
from lowtide.local.postgres import Postgres

async def main():
    directory = DataDirectory(Path(sys.argv[1]))
    directory.acquire()
    postgres = Postgres(directory)
    await postgres.start()
    print(postgres.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


LEAVER = """
import os, subprocess, sys
from pathlib import Path
from lowtide.local.datadir import DataDirectory

directory = DataDirectory(Path(sys.argv[1]))
directory.acquire()
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
directory.ledger.add(child.pid)
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the directory and runs PostgreSQL in it, and the server's process id."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        yield holder, int(holder.stdout.readline())


async def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    for expected in (0, 1):
        postgres = Postgres(directory)
        databases = await of_server(await postgres.start())
        with psycopg.connect(databases.control) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (a int)")
            assert len(connection.execute("SELECT a FROM t").fetchall()) == expected
            connection.execute("INSERT INTO t VALUES (1)")
            assert connection.execute("SHOW fsync").fetchall() == [("on",)]
        pid = postgres.pid
        assert pid is not None
        await postgres.stop()
        assert not alive(pid)
    directory.release()
    assert not (folder / "lock").exists()
    assert not (folder / "postgres" / "postmaster.pid").exists()


async def test_a_killed_server_is_started_again_with_all_that_was_committed(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    url = await postgres.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1")
        killed = postgres.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

    async def answers() -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(url) as connection:
                return await (await connection.execute("SELECT * FROM t")).fetchall() == [(1,)]
        except psycopg.OperationalError:
            return False

    await eventually(answers, within=30)
    second = postgres.pid
    assert second not in (None, killed)
    await postgres.stop()
    assert not alive(second)
    directory.release()


async def test_a_deep_path_is_no_obstacle_to_the_socket(folder: Path) -> None:
    directory = DataDirectory(folder / ("deep" * 20) / "a folder with spaces & more")
    directory.acquire()
    postgres = Postgres(directory, fsync=False)
    try:
        await of_server(await postgres.start())
    finally:
        await postgres.stop()
        directory.release()


async def test_a_held_directory_is_refused_and_free_again_when_its_holder_was_killed(folder: Path) -> None:
    with held(folder) as (holder, server):
        with pytest.raises(DataDirectoryInUse, match=f"process {holder.pid}"):
            DataDirectory(folder).acquire()
        holder.kill()
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    await postgres.start()
    assert postgres.pid != server
    assert not alive(server)
    await postgres.stop()
    directory.release()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
async def test_the_server_ends_when_its_platform_is_killed(folder: Path) -> None:
    with held(folder) as (holder, server):
        holder.kill()
    await eventually(lambda: not alive(server))


def test_processes_that_a_killed_platform_left_are_ended_by_the_next(folder: Path) -> None:
    left = int(subprocess.run([sys.executable, "-c", LEAVER, str(folder)], stdout=subprocess.PIPE, check=False).stdout)
    assert alive(left)
    directory = DataDirectory(folder)
    directory.acquire()
    assert not alive(left)
    assert not list(directory.ledger.folder.iterdir())
    directory.release()


async def test_the_ledger_never_ends_a_process_that_took_the_number_of_another(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    (directory.ledger.folder / str(os.getpid())).write_text("1000.0")
    directory.ledger.sweep()
    assert not list(directory.ledger.folder.iterdir())
    directory.release()


async def test_a_damaged_directory_is_named_with_what_to_do(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    await postgres.start()
    await postgres.stop()
    (folder / "postgres" / "global" / "pg_control").write_bytes(b"nonsense")
    with pytest.raises(DataDirectoryBroken, match="may be damaged"):
        await Postgres(directory).start()
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DataDirectoryBroken, match="PostgreSQL 12"):
        await Postgres(directory).start()
    (folder / "postgres" / "PG_VERSION").unlink()
    with pytest.raises(DataDirectoryBroken, match="PG_VERSION"):
        await Postgres(directory).start()
    directory.release()


async def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryBroken, match="--data-dir"):
        DataDirectory(tmp_path / "file").acquire()


async def test_an_interrupted_first_start_is_begun_again(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "half").write_text("")
    postgres = Postgres(directory)
    await postgres.start()
    await postgres.stop()
    directory.release()


def test_the_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    key = directory.secret("key")
    assert len(key) > 30
    assert directory.secret("key") == key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


async def test_a_given_server_gets_the_databases_it_lacks(postgres: str) -> None:
    found = await of_server(postgres)
    try:
        assert await of_server(postgres) == found
        with psycopg.connect(found.broker) as connection:
            assert connection.execute("SELECT current_database()").fetchall() == [("lowtide_broker",)]
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for name in (b"control", b"journal", b"analytics", b"broker"):
                connection.execute(b"DROP DATABASE lowtide_" + name)


async def test_databases_that_are_not_there_are_named(postgres: str, fresh_database: str) -> None:
    absent = fresh_database.replace("test_", "absent_")
    with pytest.raises(DatabaseUnreachable, match="absent_"):
        await given_databases(
            Options(control_url=absent, journal_url=absent, analytics_url=absent, broker_database_url=fresh_database)
        )
    with pytest.raises(DatabaseUnreachable, match="together"):
        await given_databases(Options(control_url=fresh_database))
    with pytest.raises(DatabaseUnreachable, match="does not answer"):
        await given_databases(Options(database_url="postgresql://me:secret@127.0.0.1:1/x"))
    with pytest.raises(DatabaseUnreachable, match="postgresql://USER"):
        await given_databases(Options(database_url="mysql://me@127.0.0.1/x"))


async def test_a_user_who_may_not_create_databases_is_told(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE lowtide_poor LOGIN PASSWORD 'p'")
        try:
            poor = postgres.replace("postgres:", "lowtide_poor:p").replace("postgres@", "lowtide_poor:p@")
            with pytest.raises(DatabaseUnreachable, match="CREATEDB"):
                await of_server(poor)
        finally:
            connection.execute("DROP ROLE lowtide_poor")


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@db:5432/x") == "postgresql://me:***@db:5432/x"


async def test_a_cancelled_start_leaves_no_server(folder: Path) -> None:
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    starting = asyncio.create_task(postgres.start())
    await eventually(lambda: postgres.pid is not None)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await postgres.stop()
    assert postgres.pid is None
    directory.release()
