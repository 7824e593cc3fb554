"""The four deployables as real processes around a small asynchronous broker, for tests that watch them from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from lowtide.wire.types import DISPATCH
from tests.ingests import Stores
from tests.peers import Peer, Request, peer
from tests.ports import free_port

__all__ = ["Installation", "installation"]

_ROOT: Final = Path(__file__).parents[2]
_MODULES: Final = {
    "orchestrate": "functions.orchestrate",
    "execute": "functions.execute",
    "ingest": "functions.ingest",
    "analytics": "analytics_api",
}


class Installation:
    """``ports`` and ``metrics`` are those of the four; ``broker`` keeps what was published."""

    def __init__(self, control: str, stores: Stores, broker: Peer, folder: Path, **extra: str) -> None:
        self.broker = broker
        self.ports = {name: free_port() for name in _MODULES}
        self.metrics = {name: free_port() for name in _MODULES}
        self._folder = folder
        self._environment = {
            "LOWTIDE_KEY": "a key of the tests",
            "LOWTIDE_HOST": "127.0.0.1",
            "LOWTIDE_CONTROL_URL": control,
            "LOWTIDE_JOURNAL_URL": stores.journal,
            "LOWTIDE_ANALYTICS_URL": stores.analytics,
            "LOWTIDE_BROKER_URL": broker.url,
            "LOWTIDE_EXECUTE_URL": f"http://127.0.0.1:{self.ports['execute']}",
            "LOWTIDE_INGEST_TARGET": f"127.0.0.1:{self.ports['ingest']}",
            "LOWTIDE_ALLOW_LOOPBACK": "true",
            "LOWTIDE_SHORT_WAIT": "0",
            **extra,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in _MODULES:
            self.run(name)
        self.api = httpx.Client(base_url=self.url("orchestrate"), timeout=30)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def run(self, name: str) -> None:
        told = {"PORT": str(self.ports[name]), "LOWTIDE_METRICS_PORT": str(self.metrics[name])}
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", _MODULES[name]],
                cwd=_ROOT,
                env={**os.environ, **self._environment, **told},
                stderr=log,
            )

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def carry(self, request: Request) -> None:
        """As Triggers do: dispatches to execute, its reply and all the rest to orchestrate."""
        headers = {name: value for name, value in request.headers.items() if name.startswith(("ce-", "content-type"))}
        body = request.body
        with contextlib.suppress(httpx.HTTPError):
            if headers.get("ce-type") == DISPATCH:
                reply = _delivered(self.url("execute"), headers, body)
                if "ce-type" not in reply.headers:
                    return
                headers, body = dict(reply.headers), reply.content
            _delivered(f"{self.url('orchestrate')}/events", headers, body)

    def deploy(self, document: str) -> None:
        headers = {"content-type": "application/yaml"}
        answer = self.api.post("/v1/namespaces/tests/workflows", content=document, headers=headers)
        assert answer.status_code in (200, 201), answer.text

    def start(self, workflow: str, given: Any, headers: dict[str, str] | None = None) -> str:
        path = f"/v1/namespaces/tests/workflows/{workflow}/executions"
        answer = self.api.post(path, json=given, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ended(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(self.api.get(f"/v1/namespaces/tests/executions/{execution}").json())
            return found["phase"] in ("completed", "faulted", "cancelled")

        self.until(over)
        return found

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "\n".join(self.log(name).read_text()[-2000:] for name in _MODULES)
            time.sleep(0.05)

    def ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            up = [httpx.get(f"{self.url(name)}/readyz").status_code for name in ("orchestrate", "execute", "analytics")]
            return up == [200] * 3 and '"listening"' in self.log("ingest").read_text()
        return False

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code."""
        self.processes[name].send_signal(signal.SIGTERM)
        return self.processes[name].wait(30)

    def close(self) -> None:
        self.api.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(10)


def _delivered(url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
    """The answer; whoever is not there, or cannot yet, gets it again."""
    for _ in range(100):
        with contextlib.suppress(httpx.ConnectError):
            answer = httpx.post(url, headers=headers, content=body, timeout=120)
            if answer.status_code < 500:
                return answer
        time.sleep(0.1)
    raise httpx.ConnectError(url)


@contextlib.contextmanager
def installation(control: str, stores: Stores, folder: Path, **extra: str) -> Iterator[Installation]:
    """All four, ready; ``extra`` are environment variables."""
    made: list[Installation] = []

    def take(request: Request) -> tuple[int, Any]:
        threading.Thread(target=made[0].carry, args=(request,), daemon=True).start()
        return 202, b""

    with peer(take) as broker:
        made.append(Installation(control, stores, broker, folder, **extra))
        try:
            made[0].until(made[0].ready)
            yield made[0]
        finally:
            made[0].close()
