"""Real execute processes, and the dispatches that orchestrate would send them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from lowtide.dsl import plan
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.state import Seed
from lowtide.runtime.chance import new_execution_id
from lowtide.wire import mac
from lowtide.wire.json import encode
from lowtide.wire.types import DISPATCH, Dispatch, Snapshot, Wake, dispatch_id, source_of
from tests.ingests import IngestProcess
from tests.peers import Peer, peer
from tests.ports import free_port

KEY = b"a key of the tests"
_ROOT = Path(__file__).parents[3]
_HEAD = "document: {{dsl: '1.0.3', namespace: tests, name: sample, version: '1.0.0', metadata: {metadata}}}\n"


@dataclass
class Order:
    """A dispatch event that can be delivered as often as a test wants: the same bytes each time."""

    execution: ExecutionId
    epoch: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def order(
    do: str,
    input: Any = None,
    *,
    execution: ExecutionId | None = None,
    epoch: int = 1,
    snapshot: Snapshot | None = None,
    wakes: tuple[Wake, ...] = (),
    key: bytes = KEY,
    lifetime: float = 60.0,
    extra: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    **policy: Any,
) -> Order:
    now = Millis(int(time.time() * 1000))
    name = execution or new_execution_id(now)
    dispatch = Dispatch(
        execution=name,
        namespace="tests",
        workflow="sample",
        version="1.0.0",
        epoch=epoch,
        at=now,
        plan=plan(_HEAD.format(metadata=json.dumps(metadata or {})) + do, "sample.yaml"),
        seed=None if snapshot else Seed(execution=name, input=input, at=now, random=0.5),
        snapshot=snapshot,
        wakes=wakes,
        **policy,
    )
    body = encode(dispatch) if extra is None else encode({**json.loads(encode(dispatch)), **extra})
    digest = mac.digest_of(body)
    return Order(
        name,
        epoch,
        body,
        {
            "ce-specversion": "1.0",
            "ce-id": dispatch_id(name, epoch),
            "ce-source": source_of("tests", "sample"),
            "ce-type": DISPATCH,
            "ce-lowtidenamespace": "tests",
            "ce-lowtideworkflow": "sample",
            "ce-lowtideexecution": name,
            "ce-lowtideepoch": str(epoch),
            "ce-lowtidedigest": digest,
            "ce-lowtidetoken": mac.sign(key, "dispatch", name, epoch, digest, Millis(int(now + lifetime * 1000))),
            "content-type": "application/json",
        },
    )


class ExecuteProcess:
    """One ``python -m functions.execute``."""

    def __init__(self, ingest: str, broker: Peer, **tunables: object) -> None:
        self.port = free_port()
        settings = {
            "key": KEY.decode(),
            "broker_url": broker.url,
            "ingest_target": ingest,
            "host": "127.0.0.1",
            "allow_loopback": "true",
            **tunables,
        }
        environment = {f"LOWTIDE_{name.upper()}": str(value) for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "functions.execute"],
            cwd=_ROOT,
            env={
                **os.environ,
                **environment,
                "PORT": str(self.port),
                "PYTHONPATH": str(_ROOT / "tests" / "integration"),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> ExecuteProcess:
        ends = time.monotonic() + 20
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return self
            assert time.monotonic() < ends, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.02)

    def deliver(self, what: Order, timeout: float = 30.0) -> httpx.Response:
        return httpx.post(self.url, content=what.body, headers=what.headers, timeout=timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def broker() -> Iterator[Peer]:
    with peer(lambda request: (202, {})) as made:
        yield made


@pytest.fixture
def run_execute(ingest: IngestProcess, broker: Peer) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def run(**tunables: object) -> ExecuteProcess:
            process = ExecuteProcess(ingest.target, broker, **tunables)
            stack.callback(process.close)
            return process.wait_until_ready()

        yield run


@pytest.fixture
def execute(run_execute: Any) -> ExecuteProcess:
    made: ExecuteProcess = run_execute()
    return made
