"""Every example that the standard's authors published runs, with an outcome that we stand by."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lowtide.dsl import plan
from lowtide.model.duration import to_millis
from lowtide.wire import json
from tests.conformance.comparing import contains, equal
from tests.conformance.kit import EXAMPLES
from tests.conformance.world import Script, World, value_of
from tests.standins.greeter import greeter
from tests.standins.slack_mcp import install_npx

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the specification's examples are not beside this checkout")

_HERE = Path(__file__).parent
CASES: dict[str, Any] = value_of((_HERE / "cases.yaml").read_text(encoding="utf-8"))
UNAVAILABLE: dict[str, str] = value_of((_HERE / "unavailable.yaml").read_text(encoding="utf-8"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES}


def _cases() -> Iterator[Any]:
    for name, given in CASES.items():
        cases = given if isinstance(given, list) else [given]
        for number, case in enumerate(cases, 1):
            yield pytest.param(name, case, id=name if len(cases) == 1 else f"{name} {number}")


@pytest.mark.parametrize(("name", "case"), list(_cases()))
def test_an_example_runs(name: str, case: dict[str, Any], world: World, tmp_path: Path) -> None:
    if "program" in case and shutil.which(case["program"]) is None:
        pytest.skip(f"{case['program']} is not installed")
    _give(world, name, case)
    with _peers(case, tmp_path):
        world.allowed |= {"allow_files": True, "base": tmp_path} if "greeter" in case else {}
        world.execute()
    if "error" in case:
        assert contains(world.error, case["error"]), world.error
    elif "waits" in case:
        assert world.report.outcome is None, world.report.outcome
    elif "has" in case:
        assert contains(world.output, case["has"]), world.output
    else:
        assert equal(world.output, case["output"]), world.output
    assert ", ".join(world.ran) == case["ran"]
    for task in filter(None, case.get("skipped", "").split(", ")):
        assert world.statuses(task) == ["skipped"]
    if "took" in case:
        assert world.took == pytest.approx(to_millis(case["took"]) / 1000, abs=0.05)
    for host, expected in case.get("received", {}).items():
        assert contains(world.received(host), expected), world.received(host)


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_an_example_that_cannot_run_here_says_so_clearly(name: str, world: World) -> None:
    _give(world, name, {"input": {"token": "t", "pet": {"id": 1}}})
    world.execute()
    assert contains(world.error, {"status": 400, "title": "Configuration Error"}), world.error
    assert UNAVAILABLE[name] in str(world.error["detail"])


def test_each_example_is_in_one_of_the_two_tables() -> None:
    assert len(TEXTS) == 68
    assert not CASES.keys() & UNAVAILABLE.keys()
    assert CASES.keys() | UNAVAILABLE.keys() == TEXTS.keys()


@contextmanager
def _peers(case: dict[str, Any], folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        if "greeter" in case:
            stack.enter_context(greeter(folder, case["greeter"]))
        if "npx" in case:
            install_npx(folder)
            stack.enter_context(patch("lowtide.effects.mcp_stdio._PATH", f"{folder}:/usr/bin:/bin"))
        yield


def _give(world: World, name: str, case: dict[str, Any]) -> None:
    world.definition = TEXTS[name]
    world.input = case.get("input")
    world.secrets = case.get("secrets", {})
    for number, event in enumerate(case.get("events", []), 1):
        world.events.append({"specversion": "1.0", "id": str(number), "source": "/examples", **event})
    world.allowed |= {f"allow_{kind}": True for kind in case.get("allowed", [])}
    for host, answers in case.get("services", {}).items():
        world.internet.sites[host] = Script(list(answers))
    world.others = [plan(json.encode(other), "other.json") for other in case.get("others", [])]
