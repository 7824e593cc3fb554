"""What an image is made of, as far as one knows without building it: the Dockerfile, the wheel, each extra alone.

Every deployable is started from the wheel with nothing importable but its own extra's dependencies, and ended as a
container is: by SIGTERM to the process itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.knative.rendering import ROOT
from tests.ports import free_port

_MODULES: Final = {
    "execute": "lowtide.functions.execute",
    "ingest": "lowtide.functions.ingest",
    "orchestrate": "lowtide.functions.orchestrate",
    "analytics": "lowtide.analytics_api",
}
_AWAY: Final = "postgresql://nobody@127.0.0.1:1/nothing"
_TOLD: Final = {
    "LOWTIDE_HOST": "127.0.0.1",
    "LOWTIDE_KEY": "key",
    "LOWTIDE_CONTROL_URL": _AWAY,
    "LOWTIDE_JOURNAL_URL": _AWAY,
    "LOWTIDE_ANALYTICS_URL": _AWAY,
    "LOWTIDE_BROKER_URL": "http://127.0.0.1:1/",
    "LOWTIDE_EXECUTE_URL": "http://127.0.0.1:1",
    "LOWTIDE_INGEST_TARGET": "127.0.0.1:1",
}
_ALONE: Final = """
import json, runpy, sys
blocked, module = set(json.loads(sys.argv[1])), sys.argv[2]
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"not in this image: {name}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv[1:] = []
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

_each_target = pytest.mark.parametrize("target", sorted(_MODULES))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the images install, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=120)
    (packed,) = folder.glob("*.whl")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def _stages() -> dict[str, list[str]]:
    """The Dockerfile's instructions by stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    stages: dict[str, list[str]] = {}
    here: list[str] = []
    for line in text.splitlines():
        if named := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            here = stages[named[2]] = [line]
        elif line and not line.startswith("#"):
            here.append(line)
    return stages


def _value(stage: list[str], instruction: str) -> str:
    (found,) = [line.removeprefix(instruction).strip() for line in stage if line.startswith(f"{instruction} ")]
    return found


@_each_target
def test_an_image_starts_its_process_without_a_shell_and_without_root(target: str, wheel: Path) -> None:
    stage = _stages()[target]
    assert json.loads(_value(stage, "ENTRYPOINT")) == ["python", "-m", _MODULES[target]]
    user, _, group = _value(stage, "USER").partition(":")
    assert int(user) > 0, "a number, so that Kubernetes can see that it is not root"
    assert int(group) > 0
    folder = wheel.joinpath(*_MODULES[target].split("."))
    assert (folder / "__main__.py").is_file()
    if target != "execute":
        assert (folder / "migrate.py").is_file()
        assert list((folder / "migrations" / "versions").glob("0001_*.py"))


@_each_target
def test_an_image_holds_its_extra_compiled_and_nothing_to_build_with(target: str) -> None:
    stages = _stages()
    assert _value(stages[target], "FROM") == f"python AS {target}"
    assert _value(stages[target], "COPY") == f"--from={target}-built /opt/lowtide /opt/lowtide"
    built = _value(stages[f"{target}-built"], "RUN")
    assert f"[{target},metrics" in built
    assert "compileall" in built
    assert "compileall" in _value(stages["python"], "RUN"), "the interpreter's own library as well"
    assert not any("PYTHONDONTWRITEBYTECODE" in line for stage in stages.values() for line in stage)


def test_only_what_the_wheel_is_made_of_goes_to_the_builder() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in _stages()["builder"] if line.startswith("COPY") for source in line.split()[1:-1]}
    assert kept == copied


@_each_target
def test_a_deployable_needs_no_more_than_its_extra_and_ends_at_sigterm(target: str, wheel: Path) -> None:
    port = free_port()
    environment = os.environ | _TOLD | {"PORT": str(port), "PYTHONPATH": str(wheel)}
    command = [sys.executable, "-c", _ALONE, json.dumps(sorted(_absent(target, wheel))), _MODULES[target]]
    process = subprocess.Popen(command, env=environment, cwd=wheel, stderr=subprocess.PIPE, text=True)
    try:
        _await_port(process, port)
        process.send_signal(signal.SIGTERM)
        sent = time.monotonic()
        _, log = process.communicate(timeout=20)
        assert time.monotonic() - sent < 5, log
        # A server that hands the signal on to the default action ends by it; as process 1 it would end with 0.
        assert process.returncode in {0, -signal.SIGTERM}, log
        assert "Traceback" not in log, log
    finally:
        process.kill()
        process.wait()


def test_execute_is_free_of_what_the_others_bring(wheel: Path) -> None:
    absent = _absent("execute", wheel)
    assert {"fastapi", "sqlalchemy", "psycopg", "alembic", "starlette"} <= absent
    assert not {"grpc", "uvicorn", "msgspec", "jq"} & absent


def _absent(extra: str, wheel: Path) -> set[str]:
    """Top-level modules that are installed here but would not be in an image with this extra alone."""
    present = _closure(extra, wheel)
    return {
        module
        for module, distributions in packages_distributions().items()
        if not present & {canonicalize_name(name) for name in distributions}
    }


def _closure(extra: str, wheel: Path) -> set[str]:
    """The distributions that installing the wheel with this extra brings, by canonical name."""
    (ours,) = wheel.glob("lowtide-*.dist-info")
    wanted, seen = [("lowtide", frozenset({extra}))], set[tuple[str, frozenset[str]]]()
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found = Distribution.at(ours) if name == "lowtide" else distribution(name)
        for requirement in map(Requirement, found.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": chosen}) for chosen in {"", *extras}):
                wanted.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen}


def _await_port(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"it did not start: {process.communicate()[1]}")
