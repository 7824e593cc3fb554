"""What an effect needs beyond the base installation, and what it says where that is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]

_PROGRAM = """
import asyncio, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"jwt", "cryptography"}:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Blocker())

from lowtide.effects import build
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from lowtide.runtime.clock import SystemClock

async def ask(clock, **client):
    policy = {"oauth2": {"authority": "http://127.0.0.1:1", "grant": "client_credentials", "client": client}}
    endpoint = {"uri": "http://127.0.0.1:1", "authentication": policy}
    effects = build(clock=clock, allow_loopback=True)
    arguments = {"method": "get", "endpoint": endpoint}
    try:
        await effects.perform(Perform(id="x@1", call="http", arguments=arguments, reference="/do/0/x"), "e/x@1")
    except TaskFailed as failed:
        print(failed.error.type.rpartition("/")[2], failed.error.detail)
    finally:
        await effects.close()

signing = {"id": "a", "secret": "b", "authentication": "client_secret_jwt"}
asyncio.run(ask(SystemClock(), **signing))
asyncio.run(ask(None, **signing))
asyncio.run(ask(None, id="a", secret="b"))
"""


def test_only_a_client_that_signs_needs_the_extra_auth() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM], cwd=_ROOT, capture_output=True, text=True, timeout=60
    )
    missing, timeless, plain = done.stdout.splitlines()
    assert missing.startswith("configuration ")
    assert "install lowtide[auth]" in missing
    assert "no clock" in timeless
    assert plain.startswith("communication ")


_BROKERS = """
import asyncio, json, sys
from pathlib import Path

LIBRARIES = {"aio_pika", "aiokafka", "aiomqtt", "nats", "redis"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LIBRARIES:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Blocker())

from lowtide.effects import build
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform

async def ask(protocol):
    path = Path(sys.argv[1]) / f"{protocol}.json"
    path.write_text(json.dumps({
        "asyncapi": "2.6.0",
        "servers": {"main": {"url": "127.0.0.1", "protocol": protocol}},
        "channels": {"c": {"publish": {}}},
    }))
    effects = build(allow_loopback=True, allow_files=True)
    arguments = {"document": {"endpoint": path.as_uri()}, "channel": "c", "message": {"payload": 1}}
    try:
        await effects.perform(Perform(id="x@1", call="asyncapi", arguments=arguments, reference="/do/0/x"), "e/x@1")
    except TaskFailed as failed:
        print(failed.error.type.rpartition("/")[2], failed.error.detail)
    finally:
        await effects.close()

for protocol in ("amqp", "kafka", "mqtt", "nats", "redis"):
    asyncio.run(ask(protocol))
"""


def test_each_broker_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BROKERS, str(tmp_path)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout.splitlines()
    assert len(said) == 5, done.stderr
    for line, protocol in zip(said, ("amqp", "kafka", "mqtt", "nats", "redis"), strict=True):
        assert line.startswith("configuration ")
        assert f"pip install 'lowtide[{protocol}]'" in line
