"""What an example is given, and what comes of it: written in YAML, tried on a :class:`World`.

given:    input, secrets, events, services (by host: answers), others (workflows it runs), steps (by name: what they
          give), allowed (by the operator), cancelled (after this long), suspended (`after` and `for` how long), greeter
          (the port of a gRPC service), websocket (the port, path and messages of a server), npx (stands for the MCP
          server that it would fetch), program (that the machine must have)
outcome:  output (or `has`: some of its members), error (some of its members), waits: true, or cancelled alone
also:     ran (task names in order), skipped, took, received (by host: some members of each request), note,
          told (the lifecycle events in order: a type's end, a task's pointer after it; with some members of the data)
instead:  refused or warned: what the check says of the document, by line
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from lowtide.dsl import plan
from lowtide.model.duration import to_millis
from lowtide.wire import json
from tests.conformance.comparing import contains, equal
from tests.conformance.telling import line_of
from tests.conformance.world import Script, World
from tests.standins.greeter import greeter
from tests.standins.slack_mcp import install_npx
from tests.standins.websocket import websocket

__all__ = ["KEYS", "give", "peers", "try_case"]

_OUTCOMES: Final = frozenset({"output", "has", "error", "waits", "cancelled", "refused", "warned"})
_GIVEN: Final = frozenset({"input", "secrets", "events", "services", "others", "steps", "allowed", "suspended"})
_PEERS: Final = frozenset({"greeter", "npx", "program", "websocket"})
KEYS: Final = _OUTCOMES | _GIVEN | _PEERS | {"ran", "skipped", "took", "received", "told", "note"}


def try_case(world: World, definition: str, case: dict[str, Any], folder: Path) -> None:
    """Execute (or check) a document and compare. ``folder`` is empty, for what its peers need."""
    assert case.keys() <= KEYS, f"a case has no {sorted(case.keys() - KEYS)}"
    assert case.keys() & _OUTCOMES, "a case says what comes of it"
    if "program" in case and shutil.which(case["program"]) is None:
        pytest.skip(f"{case['program']} is not installed")
    give(world, definition, case)
    if "refused" in case or "warned" in case:
        world.check()
        _compare_check(world, case)
        return
    with peers(case, folder):
        world.allowed |= {"allow_files": True, "base": folder} if "greeter" in case else {}
        world.execute()
    _compare_outcome(world, case)
    _compare_rest(world, case)


def give(world: World, definition: str, case: dict[str, Any]) -> None:
    world.definition = definition
    world.input = case.get("input")
    world.secrets = case.get("secrets", {})
    world.steps = case.get("steps", {})
    for number, event in enumerate(case.get("events", []), 1):
        world.events.append({"specversion": "1.0", "id": str(number), "source": "/examples", **event})
    world.allowed |= {f"allow_{kind}": True for kind in case.get("allowed", [])}
    for host, answers in case.get("services", {}).items():
        world.internet.sites[host] = Script(list(answers))
    world.others = [plan(json.encode(other), "other.json") for other in case.get("others", [])]
    world.lifecycle = "workflow"
    if "suspended" in case:
        world.suspend = (to_millis(case["suspended"]["after"]) / 1000, to_millis(case["suspended"]["for"]) / 1000)
    if isinstance(case.get("cancelled"), str):
        world.cancel_after = to_millis(case["cancelled"]) / 1000


@contextmanager
def peers(case: dict[str, Any], folder: Path) -> Iterator[None]:
    """The services of a case that are no scripts."""
    with ExitStack() as stack:
        if "greeter" in case:
            stack.enter_context(greeter(folder, case["greeter"]))
        if "websocket" in case:
            stack.enter_context(websocket(**case["websocket"]))
        if "npx" in case:
            install_npx(folder)
            stack.enter_context(patch("lowtide.effects.mcp_stdio._PATH", f"{folder}:/usr/bin:/bin"))
        yield


def _compare_check(world: World, case: dict[str, Any]) -> None:
    said = [str(problem) for problem in world.checked.problems]
    for key in ("refused", "warned"):
        for line, text in case.get(key, {}).items():
            assert any(f":{line}:" in problem and text in problem for problem in said), said
    assert bool(world.checked.errors) == ("refused" in case), said


def _compare_outcome(world: World, case: dict[str, Any]) -> None:
    if "error" in case:
        assert contains(world.error, case["error"]), world.error
    elif "waits" in case:
        assert world.report.outcome is None, world.report.outcome
    elif "cancelled" in case:
        assert world.reason
    elif "has" in case:
        assert contains(world.output, case["has"]), world.output
    else:
        assert equal(world.output, case["output"]), world.output


def _compare_rest(world: World, case: dict[str, Any]) -> None:
    if "ran" in case:
        assert ", ".join(world.ran) == case["ran"]
    for task in filter(None, case.get("skipped", "").split(", ")):
        assert world.statuses(task) == ["skipped"]
    if "took" in case:
        assert world.took == pytest.approx(to_millis(case["took"]) / 1000, abs=0.05)
    if "told" in case:
        assert [line_of(event) for event in world.told] == [_first(line) for line in case["told"]]
        for event, line in zip(world.told, case["told"], strict=True):
            assert isinstance(line, str) or contains(event["data"], *line.values()), event
    for host, expected in case.get("received", {}).items():
        assert contains(world.received(host), expected), world.received(host)


def _first(line: str | dict[str, Any]) -> str:
    return line if isinstance(line, str) else next(iter(line))
