"""What ingest takes per second, beside what PostgreSQL would take from a program that does nothing else.

    make bench NAME=ingest                     (about a minute)
    RECORDS=10000000 make bench NAME=ingest    (ten million records, to see that memory stays)

*journal*: as many clients as it says, each a stream of its own as one execute process has, each with a batch of
``BATCH`` records of one execution under way: sent, committed, acknowledged, then the next. Beside it, on one connection
and in the same round: the same rows by ``unnest``, in groups as large as ingest's may be, and one by one with a commit
for each. *metrics*: samples in batches through the same stream until all are stored and added up; beside it the same
rows by COPY into the same table. What is compared is the median of the rounds (INGEST_ROUNDS, INGEST_SECONDS).
*memory*: what ingest has before, after the rounds, and, with RECORDS, at a tenth, half and all of them; a line tells it
every ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import grpc
import psutil
import psycopg

from analytics_api.migrate import migrate
from benchmarks.measuring import quantile, report
from functions.ingest.appending import INSERT
from functions.ingest.migrate import upgrade
from functions.ingest.rows import METRICS
from lowtide.local.datadir import DataDirectory
from lowtide.local.ports import Reserved
from lowtide.local.postgres import Postgres
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id, new_owner
from lowtide.runtime.clock import SystemClock

ROUNDS = int(os.environ.get("INGEST_ROUNDS", "3"))
SECONDS = float(os.environ.get("INGEST_SECONDS", "2"))
RECORDS = int(os.environ.get("RECORDS", "0"))
CLIENTS = (1, 16, 256)
BATCH = 50
GROUP = 500
SAMPLES = 40_000
BODY = b'{"turn":17,"event":{"kind":"succeeded","command":"/do/3/charge@1.4","output":{"id":"A-001","total":99.5}}}'
METHOD = "/lowtide.rpc.v1.Ingest/Report"


@dataclass
class Stores:
    journal: str
    analytics: str
    target: str
    ingest: int


@dataclass
class Found:
    """What the rounds measured, by name."""

    per_second: dict[str, list[float]] = field(default_factory=dict)
    ack_ms: dict[str, list[float]] = field(default_factory=dict)
    connections: int = 0
    rss: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, count: int, seconds: float) -> None:
        self.per_second.setdefault(name, []).append(count / seconds)

    def rate(self, name: str) -> float:
        return median(self.per_second[name])


def new_execution() -> str:
    return new_execution_id(SystemClock().now())


class Stream:
    """One execute process as ingest sees it: asked to go on over another stream, it does."""

    def __init__(self, channel: Any) -> None:
        self.owner, self.execution = new_owner(), new_execution()
        self._begin = channel.stream_stream(METHOD, None, pb.Push.FromString)
        self._call = self._begin()
        self._leaving = False
        self._sequence = self._number = 0

    async def open(self) -> None:
        ask = pb.OpenRequest(execution=self.execution, epoch=1, digest="d", owner=self.owner)
        assert (await self.send(opens=[ask])).opened, "the lease was not made"

    async def append(self) -> None:
        if self._leaving:
            await self.close()
            self._call, self._leaving = self._begin(), False
        first, self._number = self._number + 1, self._number + BATCH
        records = [pb.Record(number=number, epoch=1, body=BODY) for number in range(first, self._number + 1)]
        ack = await self.send(appends=[pb.Append(execution=self.execution, epoch=1, records=records)])
        assert not ack.refused, ack.refused

    async def send(self, **parts: Any) -> pb.Ack:
        self._sequence += 1
        await self._call.write(pb.Batch(owner=self.owner, sequence=self._sequence, **parts).SerializeToString())
        while True:
            push = await self._call.read()
            self._leaving = self._leaving or push.WhichOneof("push") == "go_away"
            if push.WhichOneof("push") == "ack":
                ack: pb.Ack = push.ack
                return ack

    async def close(self) -> None:
        await self._call.done_writing()
        while await self._call.read() is not vars(grpc.aio)["EOF"]:
            pass


async def journal(stores: Stores, found: Found, clients: int, records: int = 0) -> None:
    """Append from all clients for some seconds, or until there are so many records: then its memory is watched."""
    async with grpc.aio.insecure_channel(stores.target) as channel:
        streams = [Stream(channel) for _ in range(clients)]
        await asyncio.gather(*(stream.open() for stream in streams))
        acks, written, began = [], 0, time.perf_counter()
        over: Callable[[], bool] = (
            (lambda: written >= records) if records else (lambda: time.perf_counter() >= began + SECONDS)
        )

        async def hammer(stream: Stream) -> None:
            nonlocal written
            while not over():
                sent = time.perf_counter()
                await stream.append()
                acks.append((time.perf_counter() - sent) * 1000)
                written += BATCH

        watching = asyncio.create_task(watch(stores, found, lambda: written, records)) if records else None
        await asyncio.gather(*(hammer(stream) for stream in streams))
        if watching is not None:
            await watching
        found.note(f"{clients} clients" + (", many records" if records else ""), written, time.perf_counter() - began)
        found.ack_ms.setdefault(f"{clients} clients", []).extend(acks)
        found.connections = max(found.connections, connections(stores))
        await asyncio.gather(*(stream.close() for stream in streams))


async def watch(stores: Stores, found: Found, written: Callable[[], int], records: int) -> None:
    """Note ingest's memory (MiB) at a tenth, half and all of the records."""
    process, told = psutil.Process(stores.ingest), time.monotonic()
    for part in (records // 10, records // 2, records):
        while written() < part:
            await asyncio.sleep(0.5)
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                print(f"{written():,} records: {process.memory_info().rss / 2**20:.1f} MiB", flush=True)
        found.rss[f"after {part:,} records"] = round(process.memory_info().rss / 2**20, 1)


def unnest(stores: Stores, found: Found) -> None:
    execution, count, began = UUID(new_execution()), 0, time.perf_counter()
    with psycopg.connect(stores.journal, autocommit=True) as connection:
        while time.perf_counter() < began + SECONDS:
            numbers = list(range(count + 1, count + GROUP + 1))
            connection.execute(INSERT, [[execution] * GROUP, numbers, [1] * GROUP, [BODY] * GROUP])
            count += GROUP
    found.note("unnest", count, time.perf_counter() - began)


def commit_each(stores: Stores, found: Found) -> None:
    execution, count, began = UUID(new_execution()), 0, time.perf_counter()
    with psycopg.connect(stores.journal, autocommit=True) as connection:
        while time.perf_counter() < began + SECONDS:
            count += 1
            connection.execute(INSERT, [[execution], [count], [1], [BODY]])
    found.note("commit per record", count, time.perf_counter() - began)


def samples(name: str) -> list[pb.MetricSample]:
    now = SystemClock().now()
    whom = pb.Subject(namespace="bench", workflow="order", version="1.0.0", execution=new_execution())
    return [
        pb.MetricSample(subject=whom, at=now + n, name=name, value=n / 7, id=f"{name}-{n}", labels={"unit": "ms"})
        for n in range(SAMPLES)
    ]


async def metrics(stores: Stores, found: Found, name: str) -> None:
    given = samples(name)
    async with grpc.aio.insecure_channel(stores.target) as channel:
        stream = Stream(channel)
        await stream.open()
        began = time.perf_counter()
        for first in range(0, SAMPLES, GROUP):
            await stream.send(metrics=given[first : first + GROUP])
        await asyncio.to_thread(until_stored, stores, name)
        found.note("metrics", SAMPLES, time.perf_counter() - began)
        await stream.close()


def until_stored(stores: Stores, name: str) -> None:
    stored = "SELECT coalesce(sum(count), 0)::int FROM rollups_hour WHERE measure = %s"
    with psycopg.connect(stores.analytics, autocommit=True) as connection:
        while connection.execute(stored, [f"metrics.{name}"]).fetchone() != (SAMPLES,):
            time.sleep(0.02)


def copy(stores: Stores, found: Found, name: str) -> None:
    rows = [METRICS.row(sample) for sample in samples(name)]
    columns = ", ".join(column for column, _ in METRICS.columns)
    began = time.perf_counter()
    with psycopg.connect(stores.analytics) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY metric_samples ({columns}) FROM STDIN".encode()) as to:
            for row in rows:
                to.write_row(row)
    found.note("copy", SAMPLES, time.perf_counter() - began)


def connections(stores: Stores) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lowtide-ingest'"
    with psycopg.connect(stores.journal) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Stores]:
    """PostgreSQL that syncs to disk, the stores, and one ingest."""
    directory = DataDirectory(folder / "postgres")
    directory.acquire()
    server = Postgres(directory, fsync=True, start_timeout=60)
    await server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in ("journal", "analytics"):
            connection.execute(f"CREATE DATABASE {name}".encode())
    made = {name: server.url(name) for name in ("journal", "analytics")}
    await asyncio.to_thread(upgrade, made["journal"])
    await asyncio.to_thread(migrate, made["analytics"])
    with Reserved() as reserved:
        port = reserved.port
    told = {"LOWTIDE_JOURNAL_URL": made["journal"], "LOWTIDE_ANALYTICS_URL": made["analytics"], "PORT": str(port)}
    with (folder / "ingest.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "functions.ingest", env={**os.environ, **told}, stderr=log
        )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 30)
        yield Stores(made["journal"], made["analytics"], f"127.0.0.1:{port}", child.pid)
    finally:
        child.terminate()
        await child.wait()
        await server.stop()
        directory.release()


async def rounds(stores: Stores) -> Found:
    found = Found()
    for number in range(ROUNDS):
        for clients in CLIENTS:
            await journal(stores, found, clients)
        await asyncio.to_thread(unnest, stores, found)
        await asyncio.to_thread(commit_each, stores, found)
        await metrics(stores, found, f"sent-{number}")
        await asyncio.to_thread(copy, stores, found, f"copied-{number}")
        print(f"round {number + 1}: " + ", ".join(f"{name} {rates[-1]:,.0f}/s" for name, rates in _rates(found)))
    return found


def _rates(found: Found) -> Iterator[tuple[str, list[float]]]:
    yield from found.per_second.items()


async def measured(folder: Path) -> tuple[Found, float, float]:
    """What was found, and the bytes that ingest had before and after."""
    async with installed(folder) as stores:
        process = psutil.Process(stores.ingest)
        await journal(stores, Found(), 16)  # what is made once is made now
        await metrics(stores, Found(), "warm")
        before = process.memory_info().rss
        found = await rounds(stores)
        found.rss["after the rounds"] = round(process.memory_info().rss / 2**20, 1)
        if RECORDS:
            await journal(stores, found, CLIENTS[1], RECORDS)
        return found, before, process.memory_info().rss


def flat(rss: dict[str, float]) -> bool:
    """Whether nine tenths of many records add next to nothing to what the first tenth left; true without them."""
    parts = [size for name, size in rss.items() if name.endswith("records")]
    return not parts or parts[-1] < parts[0] * 1.1


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lowtide-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found, before, after = asyncio.run(measured(folder))
    most = f"{max(CLIENTS)} clients"
    ratios = {
        "journal against unnest": found.rate(most) / found.rate("unnest"),
        "journal against commit per record": found.rate(most) / found.rate("commit per record"),
        "metrics against copy": found.rate("metrics") / found.rate("copy"),
        "memory after against before": after / before,
    }
    figures: dict[str, Any] = {
        "per_second": {name: round(found.rate(name)) for name in found.per_second},
        "ack_p99_ms": {name: round(quantile(acks, 0.99), 1) for name, acks in found.ack_ms.items()},
        "connections": found.connections,
        "rss_mb": {"before": round(before / 2**20, 1), **found.rss, "after": round(after / 2**20, 1)},
    }
    goals = {
        "at least 0.3 of unnest at 256 clients": ratios["journal against unnest"] >= 0.3,
        "at least 20 times a commit per record at 256 clients": ratios["journal against commit per record"] >= 20,
        "metrics at least 0.25 of copy": ratios["metrics against copy"] >= 0.25,
        "memory flat": ratios["memory after against before"] < 1.5 and flat(found.rss),
    }
    report("ingest", figures, {name: round(ratio, 3) for name, ratio in ratios.items()}, goals)


if __name__ == "__main__":
    main()
