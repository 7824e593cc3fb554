"""``make test-aws``: the tests that need S3, against moto and against LocalStack.

Each peer has a virtual environment of its own below ``build/aws`` (their pins and ours do not go together), and runs as
a process of its own. One that cannot be installed here is skipped, and its line says why. With
``LOWTIDE_TEST_S3_ENDPOINT`` set, that store is tested instead: a LocalStack in Docker, MinIO, or any other.

Exit codes: 0 where nothing failed, 1 where something did.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ports import free_port

_ROOT: Final = Path(__file__).parents[1]
_TESTS: Final = ("tests/contracts/test_payloads_port.py", "tests/integration/execute/test_object_store.py")
_INSTALL: Final = 600
_START: Final = 120.0
_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Peer:
    """``requirements`` for pip; ``command`` after the environment's ``bin``; ``alive`` is a path that answers 200."""

    name: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    alive: str


PEERS: Final = (
    Peer(
        "moto",
        ("moto[s3,server]==5.2.*",),
        ("moto_server", "--host", "127.0.0.1", "--port", "{port}"),
        "/moto-api/",
    ),
    Peer(
        "localstack",
        (
            "localstack-core[base-runtime]==4.12.*",
            "service_identity",
            "pyopenssl==24.3.0",
            "cryptography==44.0.3",
            "cbor2<6",
        ),
        ("python", "-m", "localstack.runtime.main"),
        "/_localstack/health",
    ),
)


class NotHere(Exception):
    """A peer cannot be had on this machine; the message says why."""


def main() -> int:
    endpoint = os.environ.get("LOWTIDE_TEST_S3_ENDPOINT")
    if endpoint:
        return _tested(endpoint)
    results = []
    for peer in PEERS:
        print(f"-- {peer.name}", flush=True)
        try:
            _install(peer)
            with _running(peer) as endpoint:
                results.append(_tested(endpoint))
        except NotHere as reason:
            print(f"skipped: {reason}", flush=True)
    return max(results, default=0)


def _tested(endpoint: str) -> int:
    environment = {**os.environ, **_CREDENTIALS, "LOWTIDE_TEST_S3_ENDPOINT": endpoint}
    command = [sys.executable, "-m", "pytest", "-k", "objects or object_store", *_TESTS]
    return min(subprocess.run(command, cwd=_ROOT, env=environment).returncode, 1)


def _install(peer: Peer) -> None:
    """Raises :class:`NotHere` where pip cannot, with the last thing that it said."""
    home, ready = _home(peer), _home(peer) / ".ready"
    wanted = "\n".join(peer.requirements)
    if ready.exists() and ready.read_text() == wanted:
        return
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(home)], [*pip, *peer.requirements]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL)
        except subprocess.TimeoutExpired:
            raise NotHere(f"{peer.name} was not installed within {_INSTALL} s") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise NotHere(f"{peer.name} cannot be installed: {said[-1] if said else 'pip does not say why'}")
    ready.write_text(wanted)


@contextlib.contextmanager
def _running(peer: Peer) -> Iterator[str]:
    """Its endpoint, while it runs."""
    port, binaries = free_port(), _home(peer) / "bin"
    command = [str(binaries / peer.command[0]), *(part.format(port=port) for part in peer.command[1:])]
    environment = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ.get('PATH', '')}",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "SERVICES": "s3",
        "EAGER_SERVICE_LOADING": "1",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LOCALSTACK_VOLUME_DIR": str(_home(peer) / "volume"),
    }
    with (_home(peer) / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=_home(peer), stdout=log, stderr=log)
        try:
            _await(process, f"http://127.0.0.1:{port}{peer.alive}", peer)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: subprocess.Popen[bytes], url: str, peer: Peer) -> None:
    ends = time.monotonic() + _START
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if urllib.request.urlopen(url, timeout=5).status == 200:
                return
        time.sleep(0.2)
    lines = (_home(peer) / "server.log").read_text().strip().splitlines()
    raise NotHere(f"{peer.name} does not start here: {lines[-1] if lines else 'it does not say why'}")


def _home(peer: Peer) -> Path:
    return _ROOT / "build" / "aws" / peer.name


if __name__ == "__main__":
    sys.exit(main())
