"""The phrases of the features: those of the standard's conformance kit, and ours for what it leaves untested.

Each is a pattern and a function; ``perform`` finds the one that fits a step.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from functions.orchestrate.scheduling import next_due
from lowtide.dsl import plan
from lowtide.model.duration import to_millis
from tests.conformance.comparing import at, contains, equal
from tests.conformance.gherkin import Scenario, Step
from tests.conformance.telling import check_data, check_identities, line_of
from tests.conformance.world import Script, World, value_of
from tests.standins.greeter import greeter

__all__ = ["PHRASES", "perform", "phrase_of"]

Phrase = Callable[..., None]

_HEAD: Final = "document: {dsl: '1.0.3', namespace: features, name: sample, version: '1.0.0'}\n"

PHRASES: Final[dict[str, Phrase]] = {}
"""By pattern. A function is given the world, the step and the pattern's groups."""


def phrase(pattern: str) -> Callable[[Phrase], Phrase]:
    def keep(function: Phrase) -> Phrase:
        PHRASES[pattern] = function
        return function

    return keep


def phrase_of(step: Step) -> tuple[Phrase, tuple[str, ...]]:
    for pattern, function in PHRASES.items():
        found = re.fullmatch(pattern, step.text.strip())
        if found is not None:
            return function, found.groups()
    raise AssertionError(f"line {step.line}: no phrase fits: {step.text}")


def perform(scenario: Scenario, world: World) -> None:
    for step in scenario.steps:
        function, groups = phrase_of(step)
        try:
            function(world, step, *groups)
        except AssertionError as error:
            raise AssertionError(f"line {step.line}: {step.text}\n{error}") from error


def _given(step: Step) -> Any:
    assert step.document is not None, "this step needs a document between triple quotes"
    return value_of(step.document)


# ---------------------------------------------------------------- given


@phrase("a workflow with definition:")
def _(world: World, step: Step) -> None:
    world.definition = step.document or ""


@phrase("a workflow that says:")
def _(world: World, step: Step) -> None:
    """Everything but the ``document`` block, which is the same for all."""
    world.definition = _HEAD + (step.document or "")


@phrase("(?:given )?the workflow input is:")
def _(world: World, step: Step) -> None:
    world.input = _given(step)


@phrase("the secrets are:")
def _(world: World, step: Step) -> None:
    world.secrets = _given(step)


@phrase("these events occur:")
def _(world: World, step: Step) -> None:
    for number, event in enumerate(_given(step), 1):
        world.events.append({"specversion": "1.0", "id": str(number), "source": "/features", **event})


@phrase("another workflow with definition:")
def _(world: World, step: Step) -> None:
    world.others.append(plan(step.document or "", "other.yaml"))


@phrase("another workflow '(.+)' that says:")
def _(world: World, step: Step, name: str) -> None:
    world.others.append(plan(_HEAD.replace("sample", name) + (step.document or ""), "other.yaml"))


@phrase("the service '(.+)' answers:")
def _(world: World, step: Step, host: str) -> None:
    world.internet.sites[host] = Script(_given(step))


@phrase(r"a gRPC service Greeter at port (\d+)")
def _(world: World, step: Step, port: str) -> None:
    folder = Path(world.peers.enter_context(tempfile.TemporaryDirectory()))
    world.peers.enter_context(greeter(folder, int(port)))
    world.allowed |= {"allow_files": True, "base": folder}


@phrase("the operator allows (shell|script|container)")
def _(world: World, step: Step, what: str) -> None:
    world.allowed[f"allow_{what}"] = True


@phrase("the default catalog is '(.+)'")
def _(world: World, step: Step, url: str) -> None:
    world.catalog = url


@phrase("the step '(.+)' gives:")
def _(world: World, step: Step, name: str) -> None:
    world.steps[name] = _given(step)


@phrase(r"the workflow is cancelled after (\S+)")
def _(world: World, step: Step, duration: str) -> None:
    world.cancel_after = to_millis(duration) / 1000


@phrase(r"the workflow is suspended after (\S+) for (\S+)")
def _(world: World, step: Step, begin: str, length: str) -> None:
    world.suspend = to_millis(begin) / 1000, to_millis(length) / 1000


@phrase("lifecycle events of level '(none|workflow|task|all)' are wanted")
def _(world: World, step: Step, level: Any) -> None:
    world.lifecycle = level


# ---------------------------------------------------------------- when


@phrase("the workflow is executed")
def _(world: World, step: Step) -> None:
    world.execute()


@phrase("the document is checked")
def _(world: World, step: Step) -> None:
    world.check()


@phrase(r"it is deployed until (\d+) executions? (?:has|have) (begun|ended)")
def _(world: World, step: Step, count: str, how: str) -> None:
    world.deploy(int(count), {"begun": "waiting", "ended": "completed"}[how])


# ---------------------------------------------------------------- then: schedules


@phrase("the executions should be:")
def _(world: World, step: Step) -> None:
    expected = _given(step)
    assert contains(world.executions, expected), f"they are {world.executions!r}"


@phrase("each execution should begin after the one before has ended")
def _(world: World, step: Step) -> None:
    for earlier, later in itertools.pairwise(world.executions):
        assert earlier["endedAt"] < later["createdAt"], f"{earlier!r} and {later!r}"


@phrase(r"after (\S+) it should start at (\S+)")
def _(world: World, step: Step, moment: str, expected: str) -> None:
    schedule = plan(world.definition, "workflow.yaml").schedule
    assert schedule is not None, "it has no schedule"
    now = datetime.fromisoformat(moment)
    due = next_due(schedule, now, now)
    assert due == datetime.fromisoformat(expected), f"it starts at {due}"


# ---------------------------------------------------------------- then: the workflow


@phrase("the workflow should complete")
def _(world: World, step: Step) -> None:
    assert world.report.outcome is not None, world.report.waiting
    _ = world.output


@phrase("the workflow should complete with output:")
def _(world: World, step: Step) -> None:
    expected, actual = _given(step), world.output
    assert equal(actual, expected), f"the output is {actual!r}"


@phrase("the workflow should fault")
def _(world: World, step: Step) -> None:
    _ = world.error


@phrase("the workflow should fault with error:")
def _(world: World, step: Step) -> None:
    expected, actual = _given(step), world.error
    assert contains(actual, expected), f"the error is {actual!r}"


@phrase("the error's detail should (not )?mention '(.+)'")
def _(world: World, step: Step, negated: str | None, text: str) -> None:
    assert (text in str(world.error.get("detail"))) is (negated is None), f"the error is {world.error!r}"


@phrase("(everybody|nobody) should be shown '(.+)'")
def _(world: World, step: Step, who: str, text: str) -> None:
    assert (text in world.shown()) is (who == "everybody"), f"it shows {world.shown()}"


@phrase("the workflow should cancel")
def _(world: World, step: Step) -> None:
    _ = world.reason


@phrase("the workflow should still wait")
def _(world: World, step: Step) -> None:
    assert world.report.outcome is None, f"it ended: {world.report.outcome!r}"
    assert world.report.waiting


@phrase("the workflow output should have properties (.+)")
def _(world: World, step: Step, paths: str) -> None:
    for path in re.findall("'([^']+)'", paths):
        at(world.output, path)


@phrase("the workflow output should have a '(.+)' property with value:")
def _(world: World, step: Step, path: str) -> None:
    expected, actual = _given(step), at(world.output, path)
    assert equal(actual, expected), f"'{path}' is {actual!r}"


@phrase(r"the workflow output should have a '(.+)' property containing (\d+) items?")
def _(world: World, step: Step, path: str, count: str) -> None:
    actual = at(world.output, path)
    assert len(actual) == int(count), f"'{path}' is {actual!r}"


@phrase(r"the workflow should take (\S+)")
def _(world: World, step: Step, duration: str) -> None:
    expected = to_millis(duration) / 1000
    assert abs(world.took - expected) < 0.05, f"it took {world.took:.3f} s"


@phrase(r"the workflow should take between (\S+) and (\S+)")
def _(world: World, step: Step, low: str, high: str) -> None:
    assert to_millis(low) / 1000 <= world.took + 0.001, f"it took {world.took:.3f} s"
    assert world.took - 0.05 <= to_millis(high) / 1000, f"it took {world.took:.3f} s"


# ---------------------------------------------------------------- then: tasks


@phrase("no task should run")
def _(world: World, step: Step) -> None:
    assert not world.ran, f"{world.ran} ran"


@phrase("the tasks should run in order (.+)")
def _(world: World, step: Step, names: str) -> None:
    assert world.ran == names.split(", "), f"they ran in order {', '.join(world.ran)}"


@phrase(r"(\S+) should run first")
def _(world: World, step: Step, name: str) -> None:
    assert world.ran[:1] == [name], f"they ran in order {', '.join(world.ran)}"


@phrase(r"(\S+) should run last")
def _(world: World, step: Step, name: str) -> None:
    assert world.ran[-1:] == [name], f"they ran in order {', '.join(world.ran)}"


@phrase(r"(\S+) should run after (\S+)")
def _(world: World, step: Step, name: str, other: str) -> None:
    assert world.ran.index(other) < world.ran.index(name), f"they ran in order {', '.join(world.ran)}"


@phrase(r"(\S+) should run before (\S+)")
def _(world: World, step: Step, name: str, other: str) -> None:
    assert world.ran.index(name) < world.ran.index(other), f"they ran in order {', '.join(world.ran)}"


@phrase(r"(\S+) should (cancel|complete|fault)")
def _(world: World, step: Step, name: str, verb: str) -> None:
    last = {"cancel": "cancelled", "complete": "completed", "fault": "faulted"}[verb]
    assert world.statuses(name)[-1:] == [last], f"{name} was {', '.join(world.statuses(name)) or 'never seen'}"


@phrase(r"(\S+) should be skipped")
def _(world: World, step: Step, name: str) -> None:
    assert world.statuses(name) == ["skipped"], f"{name} was {', '.join(world.statuses(name)) or 'never seen'}"


@phrase(r"(\S+) should be retried (\d+) times?")
def _(world: World, step: Step, name: str, count: str) -> None:
    assert world.statuses(name).count("retried") == int(count), f"{name} was {', '.join(world.statuses(name))}"


@phrase(r"(\S+) should complete with output:")
def _(world: World, step: Step, name: str) -> None:
    expected, actual = _given(step), world.outputs(name)
    assert actual, f"{name} gave nothing"
    assert equal(actual[-1], expected), f"{name} gave {actual[-1]!r}"


@phrase(r"(\S+) should fault with error:")
def _(world: World, step: Step, name: str) -> None:
    expected, actual = _given(step), world.errors(name)
    assert actual, f"{name} did not fault"
    assert contains(actual[-1], expected), f"{name} faulted with {actual[-1]!r}"


# ---------------------------------------------------------------- then: lifecycle events


@phrase("the lifecycle events should be:")
def _(world: World, step: Step) -> None:
    told = [line_of(event) for event in world.told]
    assert told == (step.document or "").strip("\n").splitlines(), "they were:\n" + "\n".join(told)


@phrase(r"the lifecycle event '(\S+)' should have data:")
def _(world: World, step: Step, name: str) -> None:
    check_data(world.told, name, _given(step))


@phrase("the lifecycle events should have ids, names, times and order as the standard says")
def _(world: World, step: Step) -> None:
    check_identities(world.told)


# ---------------------------------------------------------------- then: the document, the world


@phrase("the document should be refused at '([^']+)':?")
def _(world: World, step: Step, place: str) -> None:
    errors = [str(problem) for problem in world.checked.errors]
    wanted = (step.document or "").strip()
    found = [error for error in errors if f"workflow.yaml:{place}:" in error and wanted in error]
    assert found, f"it has: {errors}"


@phrase(r"(no|\d+) containers? should be left")
def _(world: World, step: Step, count: str) -> None:
    assert world.containers_left == int(count.replace("no", "0")), f"{world.containers_left} are left"


@phrase("the service '(.+)' should have received:")
def _(world: World, step: Step, host: str) -> None:
    expected = _given(step)
    actual = world.received(host)
    assert contains(actual, expected), f"it received {actual!r}"


@phrase(r"the service '(.+)' should have received (\d+) requests with different '(.+)' headers")
def _(world: World, step: Step, host: str, count: str, header: str) -> None:
    values = [request.headers.get(header) for request in world.internet.requests if request.host == host]
    assert len(values) == int(count), f"it received {len(values)}"
    assert None not in values, f"they are {values}"
    assert len(set(values)) == len(values), f"they are {values}"


@phrase("the service '(.+)' should have received as text:")
def _(world: World, step: Step, host: str) -> None:
    bodies = [request.body.decode() for request in world.internet.requests if request.host == host]
    assert bodies == [(step.document or "").strip()], f"it received {bodies!r}"


@phrase("the last request should have been '(.+)'")
def _(world: World, step: Step, expected: str) -> None:
    last = world.internet.requests[-1]
    shown = f"{last.method} {last.scheme}://{last.host}{last.target} {last.body.decode()}".strip()
    assert shown == expected, f"it was {shown}"


@phrase("the last request should hold:")
def _(world: World, step: Step) -> None:
    expected, actual = _given(step), world.internet.requests[-1].json
    assert contains(actual, expected), f"it holds {actual!r}"


@phrase(r"the service '(.+)' should have received (\d+) requests")
def _(world: World, step: Step, host: str, count: str) -> None:
    assert len(world.received(host)) == int(count), f"it received {world.received(host)!r}"
