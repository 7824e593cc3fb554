"""Builders of what ingest would have written, and a running analytics API to ask about it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, Table, create_engine, func, insert, make_url
from sqlalchemy.dialects.postgresql import insert as pg_insert

from analytics_api.app import create_app
from lowtide.model.rollup import by_day
from lowtide.model.sketch import bin_of
from lowtide.settings import AnalyticsSettings
from lowtide.storage import analytics
from tests.ports import free_port

__all__ = ["NOON", "Reports", "answering", "mounted", "serving"]

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

_SUBJECT = {"namespace": "shop", "workflow": "order", "version": "1.0.0"}


class Reports:
    """Writes rows as ingest does; whatever a test does not name has a plausible value."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        self._facts: dict[UUID, int] = {}

    def close(self) -> None:
        self._engine.dispose()

    def execution(self, *, created: datetime = NOON, lasted: float | None = None, **given: Any) -> UUID:
        """``lasted`` is in seconds; ``None`` while it has not ended."""
        # Of exactly this moment: ids that a process makes never go back, not even when asked for an earlier one.
        execution = UUID(int=int(created.timestamp() * 1000) << 80 | uuid4().int & ((1 << 76) - 1) | 7 << 76)
        ended = None if lasted is None else created + timedelta(seconds=lasted)
        row = {"phase": "running" if ended is None else "completed", "created_at": created, "ended_at": ended}
        self._write(analytics.executions, {"execution": execution, "version_number": 1, **row, **given})
        return execution

    def fact(self, execution: UUID, task: str, status: str, /, *, at: float = 0.0, **given: Any) -> None:
        """One change of one entry of a task, ``at`` seconds after noon."""
        self._facts[execution] = self._facts.get(execution, 0) + 1
        row = {
            "number": self._facts[execution],
            "task": f"/do/{task}@{task}",
            "name": task,
            "reference": f"/do/{task}",
            "kind": "call",
            "status": status,
            "at": NOON + timedelta(seconds=at),
        }
        self._write(analytics.task_facts, {"execution": execution, **row, **given})

    def log(self, execution: UUID, message: str, *, level: str = "info", at: float = 0.0, **given: Any) -> None:
        row = {"id": message, "at": NOON + timedelta(seconds=at), "level": level, "message": message}
        self._write(analytics.logs, {"execution": execution, **row, **given})

    def usage(self, execution: UUID, epoch: int, *, active_ms: float = 10.0, **given: Any) -> None:
        counted = {"memory_bytes": 1000, "cold_start": False, "turns": 3, "effects": 2, "records": 2}
        times = {"active_ms": active_ms, "cpu_ms": 5.0, "cold_start_ms": 0.0, "queueing_ms": 1.0, "at": NOON}
        self._write(analytics.usage, {"execution": execution, "epoch": epoch, **counted, **times, **given})

    def outline(self, outline: dict[str, Any], deployed: datetime, **given: Any) -> None:
        """What a version is made of."""
        self._write(analytics.outlines, {"outline": outline, "deployed_at": deployed, **given})

    def rollup(self, measure: str, at: datetime, values: list[float], **given: Any) -> None:
        """Adds values to a minute, its hour and its day, as ingest does."""
        tables = {
            analytics.rollups_minute: at.replace(second=0, microsecond=0),
            analytics.rollups_hour: at.replace(minute=0, second=0, microsecond=0),
            **(
                {analytics.rollups_day: at.replace(hour=0, minute=0, second=0, microsecond=0)}
                if by_day(measure)
                else {}
            ),
        }
        row = {**_SUBJECT, "measure": measure, "task": "", **given}
        row |= {"count": len(values), "total": sum(values), "smallest": min(values), "largest": max(values)}
        row["sketch"] = {str(number): count for number, count in Counter(map(bin_of, values)).items()}
        with self._engine.begin() as connection:
            for table, begins in tables.items():
                new = pg_insert(table).values({**row, "at": begins})
                summed = {
                    "count": table.c.count + new.excluded.count,
                    "total": table.c.total + new.excluded.total,
                    "smallest": func.least(table.c.smallest, new.excluded.smallest),
                    "largest": func.greatest(table.c.largest, new.excluded.largest),
                    "sketch": func.merged_sketch(table.c.sketch, new.excluded.sketch),
                }
                connection.execute(new.on_conflict_do_update(index_elements=table.primary_key.columns, set_=summed))

    def _write(self, table: Table, row: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(table), _SUBJECT | row)


@contextlib.contextmanager
def serving(url: str, **settings: str) -> Iterator[httpx.Client]:
    """A client of a real process that reads the store at ``url``; the process ends by SIGTERM, which must work."""
    port = free_port()
    told = {"PORT": str(port), "LOWTIDE_HOST": "127.0.0.1", "LOWTIDE_ANALYTICS_URL": url, **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics_api"], env=os.environ | told, stderr=subprocess.PIPE, text=True
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        try:
            _await_start(client, process)
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
    assert "Traceback" not in log, log


@contextlib.contextmanager
def answering(url: str, **settings: str) -> Iterator[httpx.Client]:
    """As :func:`serving`, but in this process, for those who only ask: the start of a process costs more than they do.

    Nothing may be logged with a traceback here either.
    """
    told = {"LOWTIDE_HOST": "127.0.0.1", "LOWTIDE_ANALYTICS_URL": url, **settings}
    app, failures = create_app(AnalyticsSettings.from_environment(told)), _Failures()
    logging.getLogger().addHandler(failures)
    try:
        with _running(app) as server, httpx.Client(base_url=server, timeout=30) as client:
            try:
                yield client
            finally:
                app.state.streams.end()
    finally:
        logging.getLogger().removeHandler(failures)
    assert not failures.told, failures.told


@contextlib.contextmanager
def mounted(settings: AnalyticsSettings) -> Iterator[str]:
    """A server in this process that has the API below ``/analytics``, as the gateway has it: its URL, for commands."""
    gateway = FastAPI()
    gateway.mount("/analytics", create_app(settings))
    with _running(gateway) as url:
        yield url


@contextlib.contextmanager
def _running(app: FastAPI) -> Iterator[str]:
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=running.run)
    thread.start()
    ends = time.monotonic() + 20
    while not running.started and time.monotonic() < ends:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join()


class _Failures(logging.Handler):
    """``told`` are the messages that came with an exception."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.told.append(self.format(record))


def _await_start(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            client.get("/livez")
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"the analytics API did not start: {process.communicate()[1]}")
