"""What a scenario is about: one document, what the world gives it, and how its execution ended.

The document runs on the real engine and the real driver, with real effects; time alone is virtual. Schedules are for
deployed documents: those run on the platform, in real time.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.cli.running import Ended
from lowtide.dsl import Checked, check
from lowtide.dsl.load import load
from lowtide.dsl.problem import Report as Problems
from lowtide.dsl.source import Source
from lowtide.effects import build
from lowtide.effects.callback import Callbacks
from lowtide.effects.container import Bounds, LocalContainers
from lowtide.effects.outside import Fetcher
from lowtide.errors import InvalidDocument
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.plan import Plan
from lowtide.model.state import Cancelled, Completed, Faulted
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.inprocess import Pause, Report, run_plan
from lowtide.runtime.steps import StepRegistry
from lowtide.testing.clock import VirtualClock
from lowtide.wire import json
from lowtide.wire.masking import mask_of
from lowtide.wire.types import Level
from tests.conformance.deployed import run_deployed
from tests.conformance.watching import WatchingHost, watched
from tests.standins.docker import install
from tests.standins.internet import Answer, Internet, Request

__all__ = ["Script", "World", "value_of"]


def value_of(text: str) -> Any:
    """A value written in YAML 1.2, read as documents are."""
    problems = Problems("value")
    node = load(Source("value:\n" + textwrap.indent(text, "  ")), problems)
    assert node is not None
    assert not problems.failed, [str(problem) for problem in problems.problems]
    return node.value["value"]


@dataclass
class Script:
    """A site that answers as it was told: entries for the same request are used in turn, the last one for ever."""

    entries: list[dict[str, Any]]

    def __call__(self, request: Request) -> Answer:
        fitting = [entry for entry in self.entries if entry.get("on", request.method) in _names(request)]
        if not fitting:
            return Answer(404, {"message": f"nothing was told about {request.method} {request.target}"})
        if len(fitting) > 1:
            self.entries.remove(fitting[0])
        return Answer(**{key: value for key, value in fitting[0].items() if key != "on"})


def _names(request: Request) -> set[str]:
    return {request.method, f"{request.method} {request.path}", f"{request.method} {request.target}"}


@dataclass
class World:
    internet: Internet
    database: Callable[[], str]
    definition: str = ""
    input: JSON = None
    secrets: dict[str, JSON] = field(default_factory=dict)
    events: list[dict[str, JSON]] = field(default_factory=list)
    others: list[Plan] = field(default_factory=list)
    steps: dict[str, JSON] = field(default_factory=dict)
    catalog: str = ""
    allowed: dict[str, Any] = field(default_factory=dict)
    cancel_after: float | None = None
    containers_left: int = 0
    suspend: tuple[float, float] | None = None
    lifecycle: Level = "all"
    told: list[dict[str, JSON]] = field(default_factory=list)
    took: float = 0.0
    executions: list[Any] = field(default_factory=list)
    peers: ExitStack = field(default_factory=ExitStack)
    _checked: Checked | None = None
    _report: Report | None = None
    _host: WatchingHost | None = None

    # ---------------------------------------------------------------- what happens

    def check(self) -> None:
        self._host = WatchingHost(self.secrets)
        self._checked = asyncio.run(self._pin(self._host))

    def execute(self) -> None:
        self.check()
        assert self._host is not None
        if self.checked.plan is None:
            raise InvalidDocument([str(problem) for problem in self.checked.errors])
        asyncio.run(self._execute(watched(self.checked.plan), self._host))

    async def _pin(self, host: WatchingHost) -> Checked:
        """What the document refers to outside itself is fetched before it runs, as a deployment does it."""
        fetcher = Fetcher(host, clock=VirtualClock(), catalog=self.catalog, secrets=self.secrets, loopback=True)
        try:
            return await fetcher.pin(check(self.definition, "workflow.yaml"))
        finally:
            await fetcher.close()

    def deploy(self, count: int, phase: str) -> None:
        """On the platform, in real time, until so many executions are in this phase."""
        self.executions = asyncio.run(run_deployed(self.database(), self.definition, self.events, count, phase))

    async def _execute(self, plan: Plan, host: WatchingHost) -> None:
        clock, cancelled = VirtualClock(), asyncio.Event()
        began = clock.monotonic()
        allowed = dict(self.allowed)
        folder = tempfile.TemporaryDirectory(prefix="lowtide-docker-")
        containers = LocalContainers(
            SystemClock(), install(Path(folder.name)), allowed=allowed.pop("allow_container", False), bounds=Bounds()
        )
        callback = Callbacks(b"", "https://callback.invalid", clock).perform
        effects = build(clock=clock, step=self._step, callback=callback, allow_loopback=True, **allowed)
        canceller = asyncio.ensure_future(self._cancel(clock, cancelled))
        pause = Pause()
        pausing = asyncio.ensure_future(self._suspend(clock, pause))
        try:
            self._report = await run_plan(
                plan,
                self.input,
                host=host,
                effects=effects,
                clock=clock,
                events=self.events,
                find=self._find,
                cancelled=cancelled,
                containers=containers,
                pause=pause,
                on_lifecycle=lambda event: self.told.append(event.as_json()),
                lifecycle=self.lifecycle,
            )
        finally:
            canceller.cancel()
            pausing.cancel()
            await effects.close()
            await containers.close()
            self.containers_left = len(list((Path(folder.name) / "containers").iterdir()))
            folder.cleanup()
            await self.internet.settle()
        self.took = clock.monotonic() - began

    async def _cancel(self, clock: VirtualClock, cancelled: asyncio.Event) -> None:
        if self.cancel_after is not None:
            await clock.sleep(self.cancel_after)
            cancelled.set()

    async def _suspend(self, clock: VirtualClock, pause: Pause) -> None:
        if self.suspend is not None:
            begin, length = self.suspend
            await clock.sleep(begin)
            pause.asked.set()
            await clock.sleep(length)
            pause.over.set()

    async def _step(self, command: Perform, key: str) -> JSON:
        name = command.arguments["name"]
        return self.steps[name] if name in self.steps else await StepRegistry().perform(command, key)

    def _find(self, namespace: str, name: str, version: str | None) -> Plan | None:
        fitting = [one for one in self.others if (one.namespace, one.name) == (namespace, name)]
        return next((one for one in reversed(fitting) if version in (None, one.version)), None)

    def close(self) -> None:
        self.peers.close()
        if self._host is not None:
            self._host.close()

    # ---------------------------------------------------------------- what came of it

    @property
    def checked(self) -> Checked:
        assert self._checked is not None, "the document was not checked"
        return self._checked

    @property
    def report(self) -> Report:
        assert self._report is not None, "the workflow was not executed"
        return self._report

    @property
    def output(self) -> JSON:
        assert isinstance(self.report.outcome, Completed), self.report
        return self.report.outcome.output

    @property
    def error(self) -> dict[str, JSON]:
        assert isinstance(self.report.outcome, Faulted), self.report
        return self.report.outcome.error.as_json()

    @property
    def reason(self) -> str:
        assert isinstance(self.report.outcome, Cancelled), self.report
        return self.report.outcome.reason

    @property
    def ran(self) -> list[str]:
        """The names of the tasks in the order in which they were entered; a skipped one was not."""
        return [fact.name for fact in self.report.facts if fact.status == "running"]

    def shown(self) -> str:
        """What people see: the history of its tasks, and what ``lowtide run`` prints."""
        assert self.checked.plan is not None
        ended, printed = Ended(self.report, mask_of(self.checked.plan.secrets, self.secrets)), io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            ended.tell(as_json=False)
            ended.tell(as_json=True)
        return json.encode(self.report.facts).decode() + printed.getvalue()

    def statuses(self, name: str) -> list[str]:
        return [fact.status for fact in self.report.facts if fact.name == name]

    def errors(self, name: str) -> list[dict[str, JSON]]:
        faults = [fact for fact in self.report.facts if fact.name == name and fact.status == "faulted"]
        return [fact.error.as_json() for fact in faults if fact.error is not None]

    def outputs(self, name: str) -> list[JSON]:
        assert self._host is not None
        return self._host.seen.get(name, [])

    def received(self, host: str) -> list[dict[str, Any]]:
        """The requests that came to a host, in order."""
        return [
            {
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "headers": request.headers,
                "body": _readable(request),
            }
            for request in self.internet.requests
            if request.host == host
        ]


def _readable(request: Request) -> Any:
    if not request.body:
        return None
    return request.json if "json" in request.headers.get("content-type", "") else request.body.decode()
