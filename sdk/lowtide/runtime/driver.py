"""The one driver loop: performs what the engine wants, journals what happened, feeds it back.

    open the lease -> fold the tail -> ( start commands -> wait for what happens -> journal -> feed )* -> close -> reply

The same loop serves execute, ``lowtide run``, tests and the simulator; only the ports differ. What happened is fed
to the pure engine and appended to the journal before anything that follows from it is started, said or closed, so
that the last append and the close are one commit (``docs/decisions/0005-one-commit-to-close.md``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from lowtide.engine import Turn, WouldWait, begin, fold, resume
from lowtide.errors import Held, LowtideError, TooLarge
from lowtide.model.base import JSON, Value
from lowtide.model.command import Command, Passive, Sleep
from lowtide.model.error import Error, standard_error
from lowtide.model.event import Event
from lowtide.model.fact import Fact
from lowtide.model.state import Cancelled, Completed, Faulted, Outcome, State
from lowtide.model.usage import Usage
from lowtide.runtime.active import ActiveCommands, is_served_elsewhere
from lowtide.runtime.metering import Meter
from lowtide.runtime.work import Ports, Work
from lowtide.wire.records import Entry
from lowtide.wire.types import Ended, Listened, Parked, Wake

T = TypeVar("T")

Arrival: TypeAlias = tuple[Event | LowtideError | None, str | None]
"""What happened and the inbox row it came from; an error ends the invocation, ``None`` only wakes the loop."""

__all__ = ["Diverged", "Driver", "Gone", "Reply"]


class Reply(Value, frozen=True):
    """How the invocation ended: an outcome event's type and body, as stored when its epoch was closed."""

    type: str
    body: bytes


class Gone(Exception):
    """This epoch is out of date: there is nothing to do and nothing to say."""


class Diverged(Exception):
    """The journal disagrees with the dispatch; ``str(error)`` says how."""


class Driver:
    """Runs one invocation. ``usage`` counts as it goes; ``stop()`` asks it to yield."""

    def __init__(self, work: Work, ports: Ports) -> None:
        self.turns = self.records = 0
        self._work = work
        self._ports = ports
        self._state: State | None = None
        self._number = work.snapshot.upto if work.snapshot else 0
        self._keys: set[str] = set()
        self._unsaved: list[tuple[int, Entry]] = []
        self._untold: list[Fact] = []
        self._listened: list[Listened] = []
        self._arrived: asyncio.Queue[Arrival] = asyncio.Queue()
        self._active = ActiveCommands(work, ports, lambda happened: self._arrived.put_nowait((happened, None)))
        self._registered: dict[str, Command] = {}
        self._stopping = False
        self._held = False
        self._impatient = getattr(ports.host, "impatient", ports.host)
        self._in_thread = False
        self._ends = ports.clock.monotonic() + work.policy.budget / 1000

    @property
    def effects(self) -> int:
        return self._active.started

    @property
    def meter(self) -> Meter:
        return self._active.meter

    @property
    def ran(self) -> bool:
        """Whether the epoch was ours to run."""
        return self._state is not None

    @property
    def state(self) -> State:
        assert self._state is not None
        return self._state

    def stop(self) -> None:
        """Yield soon: no new effect is started, those in flight end, then the invocation parks to be resumed now."""
        self._stopping = True
        self._arrived.put_nowait((None, None))

    async def run(self, usage: Callable[[], Usage] = Usage) -> Reply:
        """Until the outcome, a park, or the budget's end; ``usage`` is asked when the epoch is closed.

        Raises :class:`Gone`, :class:`Diverged`, :class:`lowtide.errors.Held`, :class:`lowtide.errors.Fenced` and
        :class:`lowtide.errors.Unavailable`; effects in flight are cancelled then.
        """
        silence: Callable[[], None] | None = None
        try:
            replied = await self._open()
            if replied is not None:
                return replied
            subject, epoch = self._work.subject, self._work.epoch
            silence = self._ports.journal.listen(subject.execution, epoch, self._receive)
            await self._feed([(wake.event, wake.key) for wake in self._work.wakes])
            outcome = await self._loop()
            reply = await self._close(outcome, usage())
            self._held = False
            return reply
        finally:
            if silence is not None:
                silence()
            await self._active.cancel_all()
            if self._held:
                await self._give_back()

    def _receive(self, wake: Wake) -> None:
        if wake.event is None:
            self.stop()
        else:
            self._arrived.put_nowait((wake.event, wake.key))

    async def _give_back(self) -> None:
        """The epoch goes on elsewhere: nobody needs to wait until the lease expires."""
        with suppress(LowtideError):
            await self._ports.journal.release(self._work.subject.execution, self._work.epoch)

    # ------------------------------------------------------------ opening

    async def _open(self) -> Reply | None:
        work, subject = self._work, self._work.subject
        before = self._before()
        asking = asyncio.ensure_future(
            self._ports.journal.open(subject.execution, work.epoch, work.digest, self._number)
        )
        try:
            # The first pure turns run while the lease is being asked for.
            await asyncio.sleep(0)
            turn = Turn(before) if before is not None else await self._first_turn()
            opened = await asking
        finally:
            asking.cancel()
        match opened.answer:
            case "held":
                raise Held(opened.reason or "another owner is running this execution")
            case "gone":
                raise Gone(opened.reason)
            case "diverged":
                raise Diverged(opened.reason)
            case "closed":
                assert opened.closing is not None
                return Reply(opened.closing.type, opened.closing.body)
            case "ok":
                self._held = True
                self._state = turn.state
                self._note(turn.facts)
                await self._fold(opened.tail)
        return None

    def _before(self) -> State | None:
        """What the invocation goes on from, read before anybody is asked: a newer format is not ours to open."""
        if self._work.snapshot is None:
            return None
        from lowtide.wire.states import read  # not at a cold start that begins an execution

        return read(self._work.snapshot.state)

    async def _first_turn(self) -> Turn:
        work = self._work
        assert work.seed is not None
        self.turns += 1
        return await self._compute(begin, work.plan, work.seed)

    async def _fold(self, tail: tuple[tuple[int, Entry], ...]) -> None:
        if not tail:
            return
        entries = [(entry.turn, entry.happened) for _, entry in tail]
        self._state, facts = await self._compute(fold, self._work.plan, self.state, entries)
        self._number = tail[-1][0]
        self._keys.update(entry.key for _, entry in tail if entry.key is not None)
        self._note(facts)

    def _note(self, facts: tuple[Fact, ...]) -> None:
        """The history may know at once; others are told once the journal has what the facts follow from."""
        self._ports.history.facts(self._work.subject, self.meter.measured(facts))
        self._untold.extend(facts)
        self._listened += [
            Listened(task=fact.task, at=fact.at, keys=fact.keys)
            for fact in facts
            if fact.kind == "listen" and fact.status == "completed"
        ]

    # ------------------------------------------------------------ the loop

    async def _loop(self) -> Outcome | None:
        """The outcome, or ``None`` where the execution parks."""
        while self.state.outcome is None:
            pending, busy = self.state.pending.values(), self.state.more and not self._yielding
            startable = [] if self._yielding else self._active.startable(pending, self._ends)
            if not startable and not busy and self._may_park():
                return None
            await self._save()
            self._active.start(startable)
            self._active.set_timers(pending)
            await self._register()
            if busy:
                await self._go_on()
            else:
                await self._feed([await self._next(), *self._drain()])
        return self.state.outcome

    async def _go_on(self) -> None:
        """One more turn of a long computation; everybody else gets a turn too, and time does not jump meanwhile."""
        with self._ports.clock.working():
            await self._turn(None)
            await asyncio.sleep(0)
            await self._feed(self._drain())

    @property
    def _yielding(self) -> bool:
        return self._stopping or self._ports.clock.monotonic() >= self._ends

    def _may_park(self) -> bool:
        if self._active.busy or not self._arrived.empty():
            return False
        pending = self.state.pending.values()
        if self._yielding or self._active.waits_for_time(pending):
            return True
        if self._work.policy.stay:
            return False
        due = min((command.until for command in pending if isinstance(command, Sleep)), default=None)
        return due is None or due - self._ports.clock.now() > self._work.policy.short_wait

    async def _register(self) -> None:
        passive: list[Passive] = []
        for command in self.state.pending.values():
            if is_served_elsewhere(command) and self._registered.get(command.id) != command:
                self._registered[command.id] = command
                passive.append(command)
        if passive:
            await self._ports.register(tuple(passive))

    async def _next(self) -> Arrival:
        if self._arrived.empty() and not self._active.busy and self._active.next_due() is None:
            self._ports.on_idle()
        if self._work.policy.stay or self._active.busy:
            return await self._arrived.get()
        left = self._ends - self._ports.clock.monotonic()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                return await self._arrived.get()
        except TimeoutError:
            return (None, None)

    def _drain(self) -> list[Arrival]:
        drained = []
        while not self._arrived.empty():
            drained.append(self._arrived.get_nowait())
        return drained

    # ------------------------------------------------------------ feed and journal

    async def _feed(self, arrivals: list[Arrival]) -> None:
        """Feed what happened; it is saved before anything that follows from it is started or said.

        An error ends the invocation, but takes no result with it that came at the same time.
        """
        broken: LowtideError | None = None
        for happened, key in arrivals:
            if isinstance(happened, LowtideError):
                broken = broken or happened
                continue
            if happened is None or (key is not None and key in self._keys) or self.state.outcome is not None:
                continue
            if key is not None:
                self._keys.add(key)
            self._number += 1
            self.records += 1
            self._unsaved.append((self._number, Entry(turn=self.state.turn, event=happened, key=key)))
            await self._turn(happened)
        if broken is not None and self.state.outcome is None:
            with suppress(LowtideError):
                await self._save()
            raise broken

    async def _save(self) -> None:
        entries, self._unsaved = self._unsaved, []
        if entries:
            await self._ports.journal.append(self._work.subject.execution, self._work.epoch, entries)
        self._tell()

    def _tell(self) -> None:
        facts, self._untold = tuple(self._untold), []
        if facts:
            self._ports.announce(facts)

    async def _turn(self, event: Event | None) -> None:
        self.turns += 1
        turn = await self._compute(resume, self._work.plan, self.state, event)
        self._state = turn.state
        for command_id in turn.retracted:
            self._active.retract(command_id)
            self._registered.pop(command_id, None)
        self._note(turn.facts)

    async def _compute(self, verb: Callable[..., T], *arguments: Any) -> T:
        """A pure verb, its host added; computed again beside the event loop once an expression may take long."""
        if not self._in_thread:
            try:
                return verb(*arguments, self._impatient)
            except WouldWait:
                self._in_thread = True
        with self._ports.clock.working():
            return await asyncio.to_thread(verb, *arguments, self._ports.host)

    # ------------------------------------------------------------ closing

    async def _close(self, outcome: Outcome | None, usage: Usage) -> Reply:
        report = self._parked(usage) if outcome is None else self._ended(outcome, usage)
        try:
            closing = await self._ports.seal(report)
        except TooLarge as error:
            faulted = Faulted(error=standard_error("runtime", str(error)))
            closing = await self._ports.seal(self._ended(faulted, usage))
        entries, self._unsaved = self._unsaved, []
        await self._ports.journal.append(self._work.subject.execution, self._work.epoch, entries, closing)
        self._tell()
        return Reply(closing.type, closing.body)

    def _parked(self, usage: Usage) -> Parked:
        from lowtide.wire.states import snapshot_of  # not at the cold start of what never parks

        state = self.state
        passive = tuple(
            command for command in state.pending.values() if isinstance(command, Sleep) or is_served_elsewhere(command)
        )
        return Parked(
            execution=state.execution,
            epoch=self._work.epoch,
            snapshot=snapshot_of(state, self._number, self._work.policy.snapshot_format),
            commands=tuple(passive),
            consumed=tuple(sorted(self._keys)),
            resume_now=state.more or len(passive) < len(state.pending),
            listened=tuple(self._listened),
            usage=usage,
        )

    def _ended(self, outcome: Outcome, usage: Usage) -> Ended:
        output: JSON = None
        error: Error | None = None
        reason, status = "", outcome.__struct_config__.tag
        match outcome:
            case Completed(output=output):
                pass
            case Faulted(error=error):
                pass
            case Cancelled(reason=reason):
                pass
        return Ended(
            execution=self.state.execution,
            epoch=self._work.epoch,
            status=status,  # type: ignore[arg-type]  # the tags of the outcomes are the statuses
            upto=self._number,
            output=output,
            error=error,
            reason=reason,
            consumed=tuple(sorted(self._keys)),
            listened=tuple(self._listened),
            usage=usage,
        )
