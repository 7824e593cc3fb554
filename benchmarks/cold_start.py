"""Cold start: from exec to the first handled dispatch of execute, against bare uvicorn + starlette in the same run.

    make bench NAME=cold_start

The dispatch is a real one: execute opens the execution with a running ingest, runs three pure tasks, closes the epoch
durably and replies. The peer reads the same bytes and sends them back. Both are started alternately, with bytecode
compiled beforehand (as the images have it); the clock runs from before exec until the response has been read.
"""

from __future__ import annotations

import asyncio
import compileall
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from benchmarks.measuring import report, spread
from lowtide.dsl import plan
from lowtide.local.options import Options
from lowtide.local.platform import Platform
from lowtide.local.ports import Reserved
from lowtide.model.base import Millis
from lowtide.model.state import Seed
from lowtide.runtime.chance import new_execution_id
from lowtide.wire import mac
from lowtide.wire.json import encode
from lowtide.wire.types import COMPLETED, DISPATCH, Dispatch, dispatch_id, source_of

ROUNDS = 15
KEY = b"benchmark"
ROOT = Path(__file__).parents[1]
WORKFLOW = """
document: {dsl: '1.0.3', namespace: bench, name: cold, version: '1.0.0'}
do:
- a: {set: {n: '${ .n + 1 }'}}
- b: {switch: [{go: {when: .n > 0, then: c}}]}
- c: {set: {n: '${ .n + 1 }', done: true}}
"""


def order() -> tuple[bytes, dict[str, str]]:
    now = Millis(int(time.time() * 1000))
    execution = new_execution_id(now)
    dispatch = Dispatch(
        execution=execution,
        namespace="bench",
        workflow="cold",
        version="1.0.0",
        epoch=1,
        at=now,
        plan=plan(WORKFLOW, "cold.yaml"),
        seed=Seed(execution=execution, input={"n": 1}, at=now),
    )
    body = encode(dispatch)
    digest = mac.digest_of(body)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": dispatch_id(execution, 1),
        "ce-source": source_of("bench", "cold"),
        "ce-type": DISPATCH,
        "ce-lowtideexecution": execution,
        "ce-lowtideepoch": "1",
        "ce-lowtidedigest": digest,
        "ce-lowtidetoken": mac.sign(KEY, "dispatch", execution, 1, digest, Millis(now + 600_000)),
        "content-type": "application/json",
    }
    return body, headers


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[float]:
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield began
    finally:
        process.terminate()
        process.wait(10)


def first_answer(port: int, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Knock until somebody opens, then send the one request."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with suppress(ConnectionRefusedError):
            connection.connect()
            break
        time.sleep(0.002)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def execute_once(target: str) -> float:
    body, headers = order()
    settings = {
        "LOWTIDE_KEY": KEY.decode(),
        "LOWTIDE_BROKER_URL": "http://127.0.0.1:9",
        "LOWTIDE_INGEST_TARGET": target,
        "LOWTIDE_HOST": "127.0.0.1",
    }
    command = [sys.executable, "-m", "functions.execute"]
    with Reserved() as here, started(command, {**clean_environment(), **settings, "PORT": str(here.port)}) as began:
        response = first_answer(here.port, body, headers)
        took = time.perf_counter() - began
    assert response.status == 200, response.status
    assert response.headers["ce-type"] == COMPLETED, response.headers["ce-type"]
    return took * 1000


def bare_once() -> float:
    body, headers = order()
    with Reserved() as here:
        command = [sys.executable, "-m", "benchmarks.bare", str(here.port)]
        with started(command, clean_environment()) as began:
            response = first_answer(here.port, body, headers)
            took = time.perf_counter() - began
    assert response.status == 200, response.status
    return took * 1000


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def measure(target: str) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    bare: list[float] = []
    turns: list[tuple[list[float], Callable[[], float]]] = [(ours, lambda: execute_once(target)), (bare, bare_once)]
    for kept, once in turns:
        once()  # the first of each warms the disk
        kept.clear()
    for round_number in range(ROUNDS):
        for kept, once in turns if round_number % 2 else turns[::-1]:
            kept.append(once())
        print(f"round {round_number + 1:2}: execute {ours[-1]:6.1f} ms, bare {bare[-1]:6.1f} ms", flush=True)
    return ours, bare


async def main() -> None:
    for folder in ("sdk/lowtide", "functions"):
        compileall.compile_dir(ROOT / folder, quiet=2)
    with tempfile.TemporaryDirectory(prefix="lowtide-bench-") as folder:
        options = Options(data_directory=Path(folder), port=0, grpc_port=0, idle=3600.0)
        async with Platform(options) as platform:
            ours, bare = await asyncio.to_thread(measure, platform.grpc)
    # Round by round, because the machine's speed drifts: the two of one round were started within a second.
    ratio = median(one / other for one, other in zip(ours, bare, strict=True))
    report(
        "cold_start",
        {"execute_ms": spread(ours), "bare_uvicorn_starlette_ms": spread(bare), "rounds": ROUNDS},
        {"execute / bare, median of rounds": round(ratio, 2)},
        {"execute / bare <= 1.5": ratio <= 1.5},
    )


if __name__ == "__main__":
    asyncio.run(main())
