"""execute under functions-framework, as it is started where a platform runs functions."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from lowtide.wire.cloudevents import CloudEvent, read, to_structured
from lowtide.wire.json import decode
from lowtide.wire.types import Ended
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import KEY, order
from tests.peers import Peer, peer
from tests.ports import free_port

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def url(ingest: IngestProcess, broker: Peer) -> Iterator[str]:
    port = free_port()
    command = ["--target", "execute", "--source", "functions/execute/target.py", "--asgi", "--host", "127.0.0.1"]
    environment = {
        **os.environ,
        "LOWTIDE_KEY": KEY.decode(),
        "LOWTIDE_BROKER_URL": broker.url,
        "LOWTIDE_INGEST_TARGET": ingest.target,
        "LOWTIDE_ALLOW_LOOPBACK": "true",
        "PYTHONPATH": str(_ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "functions_framework", *command, "--port", str(port)],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = f"http://127.0.0.1:{port}"
    try:
        ends = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < ends
            with suppress(httpx.TransportError):
                httpx.get(made, timeout=30)
                break
            time.sleep(0.05)
        yield made
    finally:
        process.terminate()
        process.wait(20)


def test_the_target_runs_dispatches_in_both_modes_and_refuses_the_rest(url: str) -> None:
    with peer(lambda request: (200, {"n": 1})) as shop:
        do = f"do: [{{c: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}}}]"
        binary, other = order(do), order(do)
        response = httpx.post(url, content=binary.body, headers=binary.headers, timeout=30)
        assert (response.status_code, decode(response.content, Ended).output) == (200, {"n": 1})
        event: CloudEvent = read(other.headers, other.body)
        headers, body = to_structured(event)
        response = httpx.post(url, content=body, headers=headers, timeout=30)
        assert (response.status_code, response.headers["ce-id"]) == (200, f"{other.execution}:1:outcome")
    assert httpx.post(url, content=b"nonsense").status_code == 400
    forged = order("do: [{a: {set: {x: 1}}}]", key=b"another key")
    assert httpx.post(url, content=forged.body, headers=forged.headers).status_code == 403
