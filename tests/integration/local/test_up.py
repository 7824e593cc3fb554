"""``lowtide up`` as a process of its own, with small deployables."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.integration.local.pools import PROGRAMS, Notes, alive, soon

pytestmark = pytest.mark.platform


STATUS = "import typer; from lowtide.cli.status import status; typer.run(status)"


@dataclass
class Up:
    """The running command."""

    process: subprocess.Popen[str]
    url: str
    folder: Path

    @property
    def notes(self) -> Notes:
        return Notes(self.folder / "notes")

    def status(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/status", timeout=10).json())

    def processes(self, service: str) -> list[int]:
        return [process["pid"] for process in self.status()["services"][service]["processes"]]

    def all_processes(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def post(self, kind: str, number: str) -> int:
        headers = {"ce-specversion": "1.0", "ce-type": kind, "ce-source": "/t", "ce-id": number}
        return httpx.post(f"{self.url}/broker", headers=headers, timeout=10).status_code


def spawn(folder: Path, port: int = 0, idle: float = 30.0, grpc_port: int = 0) -> subprocess.Popen[str]:
    arguments = [str(folder), str(port), str(grpc_port), str(idle)]
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / "up_with_fakes.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ignore_errors(url: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.get(url, timeout=60)


@contextlib.contextmanager
def up(folder: Path, idle: float = 30.0) -> Iterator[Up]:
    with spawn(folder, idle=idle) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("ready: HTTP "):
                    break
            else:
                assert process.stderr is not None
                raise AssertionError("".join(lines) + process.stderr.read())
            yield Up(process, line.split()[2].rstrip(","), folder)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", ignore_cleanup_errors=True) as made:
        yield Path(made) / "data"


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """A platform for all who leave it alive."""
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", ignore_cleanup_errors=True) as made:
        with up(Path(made) / "data") as platform:
            yield platform


def test_ctrl_c_ends_everything_and_leaves_nothing(folder: Path) -> None:
    with up(folder) as platform:
        assert httpx.get(f"{platform.url}/v1/pid", timeout=20).status_code == 200
        assert platform.post("dev.lowtide.execution.dispatch.v1", "1") == 202
        soon(lambda: platform.notes.all(path="/", id="1"))
        everything = platform.all_processes()
        assert len(everything) > 3
        platform.process.send_signal(signal.SIGINT)
        assert platform.process.wait(20) == 0
        assert [pid for pid in everything if alive(pid)] == []
        assert not (folder / "lock").exists()
        assert list((folder / "run").iterdir()) == []


def test_a_second_ctrl_c_kills(folder: Path) -> None:
    with up(folder) as platform:
        asking = threading.Thread(target=ignore_errors, args=(f"{platform.url}/v1/slow?60",))
        asking.start()
        soon(lambda: platform.notes.all(began="slow"))
        everything = platform.all_processes()
        for _ in range(2):
            platform.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                platform.process.wait(0.3)
        began = time.monotonic()
        assert platform.process.wait(20) == 130
        assert time.monotonic() - began < 15
        soon(lambda: not [pid for pid in everything if alive(pid)])
        asking.join()


def test_everything_goes_to_zero_and_ticks_wake_orchestrate_alone(folder: Path) -> None:
    with up(folder, idle=0.2) as platform:
        soon(lambda: platform.notes.all(type="dev.lowtide.tick.v1"))
        soon(lambda: platform.status()["services"]["orchestrate"]["zeroSince"])
        ticks = len(platform.notes.all(type="dev.lowtide.tick.v1"))
        soon(lambda: len(platform.notes.all(type="dev.lowtide.tick.v1")) > ticks)
        services = platform.status()["services"]
        assert [services[name]["coldStarts"] for name in ("execute", "ingest", "analytics")] == [0, 0, 0]


def test_a_killed_broker_is_back_at_once_and_delivers_what_it_had_accepted(running: Up) -> None:
    broker = running.status()["broker"]["pid"]
    assert running.post("shop.payment", "1") == 202
    os.kill(broker, signal.SIGKILL)
    soon(lambda: running.status()["broker"]["pid"] not in (None, broker))
    soon(lambda: running.notes.all(path="/events", id="1"))
    soon(lambda: running.post("shop.payment", "2") == 202)
    soon(lambda: running.notes.all(path="/events", id="2"))


def test_killed_services_are_there_again_with_the_next_request(running: Up) -> None:
    assert running.post("dev.lowtide.execution.dispatch.v1", "3") == 202
    soon(lambda: running.notes.all(path="/", id="3"))
    os.kill(running.processes("execute")[0], signal.SIGKILL)
    assert running.post("dev.lowtide.execution.dispatch.v1", "4") == 202
    soon(lambda: running.notes.all(path="/", id="4"))


def test_a_killed_platform_leaves_no_process_and_starts_again(folder: Path) -> None:
    with up(folder) as platform:
        platform.post("dev.lowtide.execution.dispatch.v1", "1")
        soon(lambda: platform.notes.all(path="/", id="1"))
        everything = platform.all_processes()
        platform.process.kill()
        platform.process.wait()
    with up(folder) as platform:
        assert [pid for pid in everything if alive(pid)] == []
        assert platform.post("shop.payment", "2") == 202


def test_the_gateway_knows_its_paths(running: Up) -> None:
    assert httpx.get(f"{running.url}/livez").json() == {"status": "ok"}
    assert httpx.get(f"{running.url}/readyz").json() == {"ready": True}
    answer = httpx.get(f"{running.url}/analytics/headers?a=1", timeout=20).json()
    assert answer[:2] == ["/headers", "a=1"]
    assert dict(answer[2])["x-forwarded-prefix"] == "/analytics"
    nothing = httpx.get(f"{running.url}/nonsense")
    assert nothing.status_code == 404
    assert nothing.headers["content-type"] == "application/problem+json"
    assert httpx.post(f"{running.url}/broker", content=b"{").status_code == 400
    shown = subprocess.run(
        [sys.executable, "-c", STATUS, "--server", running.url], capture_output=True, text=True, check=False
    )
    assert "orchestrate" in shown.stdout, shown.stderr


def test_a_port_in_use_is_said_with_its_exit_code(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = spawn(folder, port=port)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 6
    assert f"port {port}" in errors
    assert "--port" in errors
    assert "Traceback" not in errors
    assert not (folder / "lock").exists()


def test_a_data_directory_in_use_is_said_with_its_exit_code(running: Up) -> None:
    process = spawn(running.folder)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 7
    assert f"process {running.process.pid}" in errors
    assert running.status()["ready"] is True
