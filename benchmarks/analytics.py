"""Seventeen questions to a large analytics store, through the API.

    make bench NAME=analytics          (100,000 executions, a minute; EXECUTIONS=1000000 is the size of the goals)

Fills a store with executions over ninety days, ten task facts each and a log line, nine in ten in one namespace, and
their rollups by minute, hour and day. Then asks each question twice to be warm and thirty times to measure, one at a
time, through the API's own process. The plans are written to ``build/analytics-plans.txt``; none may read all of a fact
table, or of the rollups.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx
import psycopg
from sqlalchemy import Engine, event

from analytics_api.app import create_app
from analytics_api.migrate import migrate
from analytics_api.store import PLANNING
from benchmarks.analytics_rows import DAYS, LONG, fill
from benchmarks.measuring import quantile, report
from lowtide.local.datadir import DataDirectory
from lowtide.local.postgres import Postgres
from lowtide.settings import AnalyticsSettings

EXECUTIONS: Final = int(os.environ.get("EXECUTIONS", "100000"))
REPEATS: Final = 30
GOAL_MS: Final = 100.0
PLANS: Final = Path("build/analytics-plans.txt")
_READ_WHOLE: Final = re.compile(
    r"Seq Scan on (executions|task_facts|logs|usage|rollups_minute|rollups_hour|rollups_day)(?!_default)\w*"
)
"""Default partitions are empty here."""
_OPERATOR: Final = token_hex()
_SHOWN: Final = {"authorization": f"Bearer {_OPERATOR}"}


def questions(end: datetime) -> dict[str, str]:
    def window(**length: float) -> str:
        return f"from={(end - timedelta(**length)):%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"

    return {
        "newest executions": "executions",
        "by workflow and status": "executions?workflow=order-3&phase=faulted",
        "by tag": "executions?tag=customer=c-4711",
        "by error type": "executions?errorType=timeout",
        "free text": "executions?text=gateway%20refused%20c-4711",
        "slowest": "executions?sort=duration",
        "dearest": "executions?sort=cost",
        "a timeline of 200 tasks": f"executions/{LONG}/timeline",
        "log search in a day": f"logs?text=reserved%20%22warehouse%2041%22&{window(days=1)}",
        "throughput per minute for a day": f"series/ended?step=1m&limit=1440&percentiles=false&{window(days=1)}",
        "p95 duration per hour for 30 days by workflow": (
            f"series/ended?step=1h&by=workflow&status=completed&{window(days=30)}"
        ),
        "slowest workflows of 30 days": f"top/workflows?{window(days=30)}",
        "dearest workflows of 90 days": f"top/workflows?by=dearest&{window(days=DAYS)}",
        "most failing tasks of 7 days": f"top/tasks?by=failing&{window(days=7)}",
        "cost per day for 90 days": f"series/cost?step=1d&{window(days=DAYS)}",
    }


def questions_of_all(end: datetime) -> dict[str, str]:
    """Those of the operator, across namespaces."""
    first, last = end - timedelta(days=DAYS), end - timedelta(days=1)
    moments = f"from={first:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    days = f"from={first:%Y-%m-%d}&to={last:%Y-%m-%d}"
    return {
        "cost per day for 90 days by namespace": f"/v1/series/cost?step=1d&by=namespace&{moments}",
        "daily report of 90 days by namespace": f"/v1/reports/daily?by=namespace&{days}",
    }


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lowtide-bench-") as folder:
        directory = DataDirectory(Path(folder))
        directory.acquire()
        server = Postgres(directory, fsync=False)
        url = await server.start()
        try:
            await asyncio.to_thread(race, url)
        finally:
            await server.stop()
            directory.release()


def race(url: str) -> None:
    migrate(url)
    started = time.monotonic()
    end = fill(url, EXECUTIONS)
    filled = time.monotonic() - started
    print(f"filled in {filled:.0f} s", flush=True)
    asked = {name: f"/v1/namespaces/bench/{question}" for name, question in questions(end).items()}
    asked |= questions_of_all(end)
    PLANS.parent.mkdir(exist_ok=True)
    scanned = asyncio.run(plans(url, asked))
    with serving(url) as client:
        times = {name: measure(client, name, question) for name, question in asked.items()}
    figures: dict[str, Any] = {"executions": EXECUTIONS, "task facts": EXECUTIONS * 10, "filled in, s": round(filled)}
    figures["p95, ms"] = {name: round(quantile(found, 0.95), 1) for name, found in times.items()}
    figures["median, ms"] = {name: round(quantile(found, 0.5), 1) for name, found in times.items()}
    goals = {f"{name} <= {GOAL_MS:g} ms": found <= GOAL_MS for name, found in figures["p95, ms"].items()}
    report("analytics", figures, {}, goals | {"no plan reads all of a table": not scanned})


def measure(client: httpx.Client, name: str, question: str) -> list[float]:
    found = []
    for _ in range(REPEATS + 2):
        started = time.monotonic()
        answer = client.get(question)
        found.append((time.monotonic() - started) * 1000)
        assert answer.status_code == 200, answer.text
        assert answer.json()["items"], f"{name}: nothing was found"
    print(f"{name}: {quantile(found[2:], 0.95):.1f} ms", flush=True)
    return found[2:]


async def plans(url: str, asked: dict[str, str]) -> list[str]:
    """Write the plan of every statement that the API sends for each question; those that read all of a table."""
    sent: list[tuple[str, Any]] = []

    def heard(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", heard)
    app = create_app(AnalyticsSettings(analytics_url=url, operator_token=_OPERATOR.encode()))
    scanned, told = [], ""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", headers=_SHOWN) as client:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PLANNING.encode())
            for name, question in asked.items():
                sent.clear()
                (await client.get(question)).raise_for_status()
                for statement, parameters in sent:
                    rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}".encode(), parameters).fetchall()
                    plan = "\n".join(str(line) for (line,) in rows)
                    told += f"== {name}\n{question}\n{statement}\n\n{plan}\n\n"
                    scanned += [f"{name}: {found[0]}" for found in _READ_WHOLE.finditer(plan)]
    event.remove(Engine, "before_cursor_execute", heard)
    PLANS.write_text(told)
    print(*scanned, sep="\n", flush=True)
    return scanned


@contextmanager
def serving(url: str) -> Iterator[httpx.Client]:
    from tests.ports import free_port

    port = free_port()
    told = {"PORT": str(port), "LOWTIDE_HOST": "127.0.0.1", "LOWTIDE_ANALYTICS_URL": url}
    told["LOWTIDE_OPERATOR_TOKEN"] = _OPERATOR
    process = subprocess.Popen([sys.executable, "-m", "analytics_api"], env=os.environ | told)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=_SHOWN) as client:
            until = time.monotonic() + 60
            while True:
                try:
                    client.get("/livez")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until, "the API did not start"
                    time.sleep(0.05)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


if __name__ == "__main__":
    asyncio.run(main())
