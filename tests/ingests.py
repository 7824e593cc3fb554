"""The ingest function as tests see it: real processes on real stores.

``ingest_stores``  the two migrated, empty databases
``ingest``         one process, shared by all tests that leave it alone (executions do not meet)
``one_loop``       for tests that speak gRPC in their own process
``run_ingest``     makes processes for tests that kill, drain or starve them
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.databases import database
from tests.ports import free_port

__all__ = [
    "IngestProcess",
    "RunIngest",
    "Stores",
    "ingest",
    "ingest_stores",
    "make_stores",
    "one_loop",
    "run_ingest",
]

_ROOT = Path(__file__).parents[1]


class Stores:
    """The addresses of one installation's journal and analytics databases."""

    def __init__(self, journal: str, analytics: str) -> None:
        self.journal = journal
        self.analytics = analytics


class RunIngest(Protocol):
    def __call__(self, stores: Stores, *, port: int = 0, **tunables: object) -> IngestProcess: ...


class IngestProcess:
    """One ``python -m functions.ingest``; ``tunables`` are settings by their lower-case names."""

    def __init__(self, stores: Stores, port: int = 0, **tunables: object) -> None:
        self.stores = stores
        self.port = port or free_port()
        self.lines: list[dict[str, Any]] = []
        self.noise: list[str] = []
        settings = {"journal_url": stores.journal, "analytics_url": stores.analytics, "host": "127.0.0.1", **tunables}
        environment = {f"LOWTIDE_{name.upper()}": str(value) for name, value in settings.items()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "functions.ingest"],
            cwd=_ROOT,
            env={**os.environ, **environment, "PORT": str(self.port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def said(self, message: str) -> bool:
        return any(line["message"] == message for line in self.lines)

    def wait_until_listening(self, seconds: float = 20.0) -> IngestProcess:
        self.wait_for(lambda: self.said("listening"), seconds)
        return self

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, f"not within {seconds} s; ingest said {self.lines}, {self.noise}"
            assert self.returncode is None, f"ingest ended with {self.returncode}: {self.lines}, {self.noise}"
            time.sleep(0.02)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self._process.kill()
        self._process.wait(10)

    def terminate(self, seconds: float = 15.0) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def close(self) -> None:
        if self.returncode is None:
            self.kill()
        self._reader.join(5)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.noise.append(line)


@contextlib.contextmanager
def make_stores(server: str) -> Iterator[Stores]:
    from sqlalchemy import create_engine, make_url

    from functions.ingest.migrate import upgrade  # here, so that other tests need not pay for these imports
    from lowtide.storage import analytics

    with database(server) as journal, database(server) as reports:
        upgrade(journal)
        engine = create_engine(make_url(reports).set(drivername="postgresql+psycopg"))
        analytics.metadata.create_all(engine)
        engine.dispose()
        yield Stores(journal, reports)


@pytest.fixture
def ingest_stores(postgres: str) -> Iterator[Stores]:
    with make_stores(postgres) as stores:
        yield stores


@pytest.fixture
def run_ingest() -> Iterator[RunIngest]:
    with contextlib.ExitStack() as stack:

        def run(stores: Stores, *, port: int = 0, **tunables: object) -> IngestProcess:
            process = IngestProcess(stores, port, **tunables)
            stack.callback(process.close)
            return process.wait_until_listening()

        yield run


@pytest.fixture(scope="session")
def ingest(postgres: str) -> Iterator[IngestProcess]:
    with make_stores(postgres) as stores:
        process = IngestProcess(stores)
        try:
            yield process.wait_until_listening()
        finally:
            process.close()


@pytest.fixture(scope="session")
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for all tests of the session: gRPC has one poller per process, and it does not survive
    the closing of a loop that calls were made in."""
    yield  # noqa: PT022  (only an asynchronous generator keeps the loop)
