"""What ``lowtide run`` does: checks the document, drives the engine in this process, tells how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lowtide.cli import exits, given
from lowtide.cli.fetching import fetching
from lowtide.cli.folder import finder
from lowtide.cli.shown import show_json
from lowtide.dsl import Checked, check
from lowtide.errors import InvalidDocument, InvalidInput, Misconfigured
from lowtide.model.answer import answered_type
from lowtide.model.base import JSON
from lowtide.model.command import Await, Command
from lowtide.model.error import STANDARD_BASE, Error, same_type
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Cancelled, Completed, Faulted, Outcome
from lowtide.model.timeline import fold
from lowtide.wire.masking import Mask, mask_of

if TYPE_CHECKING:
    from lowtide.effects.outside import Fetcher
    from lowtide.runtime.clock import Clock
    from lowtide.runtime.containers import Containers
    from lowtide.runtime.inprocess import Report
    from lowtide.runtime.ports import Effects
    from lowtide.wire.cloudevents import CloudEvent

__all__ = ["Ended", "Request", "perform"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that the command line asked for; ``file`` names ``text`` in messages and says where to find siblings."""

    file: str
    text: str
    input: JSON
    events: list[dict[str, JSON]]
    secrets: dict[str, JSON]
    steps: tuple[str, ...]
    also: tuple[str, ...]
    virtual_time: bool
    catalog: str
    allow_loopback: bool
    allow_shell: bool
    allow_script: bool
    allow_container: bool
    live: bool
    lifecycle: str | None = None


@dataclass(frozen=True)
class Ended:
    """How it ended; ``code`` is the exit code. Everything that is told passes ``mask``, as the API's answers do."""

    report: Report
    mask: Mask

    @property
    def code(self) -> int:
        outcome = self.report.outcome
        if outcome is None:
            return exits.TIMED_OUT
        return exits.INVALID if self._refused_input(outcome) else exits.of_phase(_status(outcome))

    def _refused_input(self, outcome: Outcome) -> bool:
        """Whether the workflow's input did not fit its schema: the only way to fail validation before any task."""
        return (
            isinstance(outcome, Faulted)
            and not self.report.facts
            and same_type(outcome.error.type, STANDARD_BASE + "validation")
        )

    def tell(self, *, as_json: bool) -> None:
        """The output (or, as JSON, the one object) on stdout; on stderr why there is none."""
        outcome = self.report.outcome
        if as_json and outcome is not None:
            show_json(self._as_json(outcome))
        elif isinstance(outcome, Completed):
            show_json(self.mask.json(outcome.output))
        elif isinstance(outcome, Faulted):
            exits.say(_fault(self.mask.error(outcome.error)))
        elif isinstance(outcome, Cancelled):
            exits.say(f"cancelled: {outcome.reason}" if outcome.reason else "cancelled")
        for command in self.report.waiting if outcome is None else ():
            exits.say(f"timed out waiting: {self.mask.text(_awaited(command))}")

    def _as_json(self, outcome: Outcome) -> dict[str, JSON]:
        error = self.mask.error(outcome.error) if isinstance(outcome, Faulted) else None
        return {
            "status": _status(outcome),
            "output": self.mask.json(outcome.output) if isinstance(outcome, Completed) else None,
            "error": None
            if error is None
            else {name: getattr(error, name) for name in ("type", "status", "title", "detail", "instance")},
            "tasks": [row.as_json() for row in fold(self.report.facts)],
        }


async def perform(request: Request) -> Ended:
    """Run it. Raises :class:`lowtide.errors.InvalidDocument` where the document has errors; warnings go to stderr."""
    from lowtide.expressions import JqHost
    from lowtide.runtime.inprocess import run_plan

    cancelled = asyncio.Event()
    with contextlib.closing(JqHost(secrets=request.secrets)) as host:
        async with fetching(
            host,
            request.file,
            catalog=request.catalog,
            secrets=request.secrets,
            loopback=request.allow_loopback,
        ) as fetcher:
            workflow = await _checked(request, fetcher)
            others = [await _pinned(given.text_of(path), path, fetcher) for path in request.also]
        find, clock = finder([workflow, *others], request.file), _clock(request)
        async with _effects(request, clock) as effects, _containers(request) as containers:
            with _on_interrupt(cancelled), _timeline(request, workflow) as on_facts, _lifecycle(request) as tell:
                report = await run_plan(
                    workflow,
                    request.input,
                    host=host,
                    effects=effects,
                    clock=clock,
                    events=request.events,
                    find=find,
                    on_facts=on_facts,
                    cancelled=cancelled,
                    containers=containers,
                    on_lifecycle=tell,
                )
    return Ended(report, mask_of(workflow.secrets, request.secrets))


async def _checked(request: Request, fetcher: Fetcher) -> Plan:
    checked = await fetcher.pin(check(request.text, "stdin" if request.file == "-" else request.file))
    plan = _plan_of(checked)
    for problem in checked.problems:
        exits.say(f"{problem} (warning)")
    return plan


async def _pinned(text: str, file: str, fetcher: Fetcher) -> Plan:
    return _plan_of(await fetcher.pin(check(text, file)))


def _plan_of(checked: Checked) -> Plan:
    if checked.plan is None:
        raise InvalidDocument([str(problem) for problem in checked.errors])
    return checked.plan


@contextlib.asynccontextmanager
async def _effects(request: Request, clock: Clock) -> AsyncIterator[Effects]:
    from lowtide.effects import build
    from lowtide.effects.callback import Callbacks
    from lowtide.runtime.clock import SystemClock
    from lowtide.runtime.steps import StepRegistry

    try:
        steps = StepRegistry.load(request.steps)
    except Misconfigured as error:
        raise InvalidInput(str(error).replace("LOWTIDE_STEPS", "--steps")) from error
    effects = build(
        clock=SystemClock(),  # others live by real time, also where this execution does not
        step=steps.perform,
        # Nobody can call this URL (RFC 2606): its answer is one of the given events.
        callback=Callbacks(b"", "https://callback.invalid", clock).perform,
        allow_loopback=request.allow_loopback,
        allow_files=True,
        allow_shell=request.allow_shell,
        allow_script=request.allow_script,
        base=None if request.file == "-" else Path(request.file).parent,
    )
    try:
        yield effects
    finally:
        await effects.close()


@contextlib.asynccontextmanager
async def _containers(request: Request) -> AsyncIterator[Containers]:
    from lowtide.effects.container import Bounds, LocalContainers
    from lowtide.runtime.clock import SystemClock
    from lowtide.settings import whole_environment

    containers = LocalContainers(SystemClock(), whole_environment(), allowed=request.allow_container, bounds=Bounds())
    try:
        yield containers
    finally:
        await containers.close()


def _clock(request: Request) -> Clock:
    if request.virtual_time:
        from lowtide.testing.clock import VirtualClock

        return VirtualClock()
    from lowtide.runtime.clock import SystemClock

    return SystemClock()


@contextlib.contextmanager
def _timeline(request: Request, workflow: Plan) -> Iterator[Callable[[tuple[Fact, ...]], None] | None]:
    if not request.live:
        yield None
        return
    from lowtide.cli.live import LiveTimeline

    with LiveTimeline(f"{workflow.namespace}/{workflow.name} {workflow.version}") as timeline:
        yield timeline.add


@contextlib.contextmanager
def _lifecycle(request: Request) -> Iterator[Callable[[CloudEvent], None] | None]:
    """Lifecycle events in their structured form, one a line, as they happen."""
    if request.lifecycle is None:
        yield None
        return
    from lowtide.wire.cloudevents import to_structured

    with contextlib.ExitStack() as stack:
        file = sys.stderr if request.lifecycle == "-" else stack.enter_context(_opened(request.lifecycle))
        yield lambda event: print(to_structured(event)[1].decode(), file=file, flush=True)


def _opened(path: str) -> TextIO:
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--lifecycle {path}: {error.strerror}; name a file that can be written") from error


@contextlib.contextmanager
def _on_interrupt(cancelled: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks for a cancel, the second ends the process."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if cancelled.is_set():
            raise KeyboardInterrupt
        exits.say("cancelling; press Ctrl-C again to stop at once")
        cancelled.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, interrupt)
    try:
        yield
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def _status(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()


def _fault(error: Error) -> str:
    why = f": {error.detail}" if error.detail else ""
    where = f" at {error.instance}" if error.instance else ""
    return f"faulted{where}: {error.title or error.type} ({error.status}){why}"


def _awaited(command: Command) -> str:
    where = command.id.partition("@")[0]
    if isinstance(command, Await) and command.ask is not None:
        kind = answered_type(command.ask.kind)
        return f"{where} awaits an answer; give it with --event FILE, of type {kind} and subject {where}"
    if isinstance(command, Await):
        types = sorted({str(wanted.with_.get("type", "of any type")) for wanted in command.filters})
        return f"{where} awaits an event {', '.join(types)}; give it with --event FILE"
    return f"{where} has not ended"
