"""Active commands and timers of one invocation: started, watched, cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeGuard

from lowtide.errors import Fenced, LowtideError, TaskFailed, TooLarge, Unavailable
from lowtide.model.base import JSON, Millis
from lowtide.model.command import Await, Command, Perform, Publish, RunChild, RunContainer, Sleep
from lowtide.model.error import Error, standard_error
from lowtide.model.event import EffectFailed, EffectSucceeded, Event, EventsReceived, Received, TimerFired
from lowtide.runtime.chance import uniform
from lowtide.runtime.metering import Meter
from lowtide.runtime.work import Ports, Work
from lowtide.wire import json
from lowtide.wire.types import source_of

__all__ = ["ActiveCommands", "is_served_elsewhere"]

log = logging.getLogger("lowtide.runtime.active")

_GRACE: Final = 1.0
"""Seconds beyond its time after which an effect is ended from outside."""


def is_served_elsewhere(command: Command) -> TypeGuard[Await | RunChild | RunContainer]:
    """Whether orchestrate serves it: listeners, awaited children and containers."""
    return isinstance(command, Await) or (isinstance(command, RunChild | RunContainer) and not command.detached)


class ActiveCommands:
    """``happened`` is called with each result, or with the error that ends the invocation."""

    def __init__(self, work: Work, ports: Ports, happened: Callable[[Event | LowtideError], None]) -> None:
        self.started = 0
        self.meter = Meter()
        self._work = work
        self._ports = ports
        self._happened = happened
        self._effects: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, tuple[Command, asyncio.Task[None]]] = {}
        self._began = ports.clock.monotonic()

    @property
    def busy(self) -> bool:
        """Whether an effect is in flight."""
        return bool(self._effects)

    def startable(self, pending: Iterable[Command], ends: float) -> list[Command]:
        """Active commands to start now: those whose timeout fits what is left until ``ends`` (monotonic)."""
        return [command for command in self._unstarted(pending) if self._fits(command, ends)]

    def waits_for_time(self, pending: Iterable[Command]) -> bool:
        """Whether an active command is kept from its start by nothing but time."""
        return bool(self._unstarted(pending))

    def _unstarted(self, pending: Iterable[Command]) -> list[Command]:
        return [
            command
            for command in pending
            if not isinstance(command, Sleep) and not is_served_elsewhere(command) and command.id not in self._effects
        ]

    def _fits(self, command: Command, ends: float) -> bool:
        timeout = self._timeout(command)
        now = self._ports.clock.monotonic()
        # One that can never fit gets a whole budget: only a fresh invocation starts it.
        return now + timeout / 1000 <= ends or now - self._began < self._work.policy.budget / 10_000

    def _timeout(self, command: Command) -> int:
        own = command.timeout if isinstance(command, Perform) else None
        return own or self._work.policy.effect_timeout

    def start(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self.started += 1
            self.meter.started(command)
            self._effects[command.id] = asyncio.ensure_future(self._perform(command))

    def set_timers(self, pending: Iterable[Command]) -> None:
        """While the invocation goes on, every pending ``Sleep`` is kept in this process.

        Until when an answer counts, orchestrate says; where nobody else is there (``stay``), this process does.
        """
        for command in pending:
            until = self._until(command)
            running = self._timers.get(command.id)
            if until is not None and (running is None or running[0] != command):
                self.retract(command.id)
                self._timers[command.id] = (command, asyncio.ensure_future(self._sleep(command, until)))

    def _until(self, command: Command) -> Millis | None:
        if isinstance(command, Sleep):
            return command.until
        return command.ask.until if isinstance(command, Await) and command.ask and self._work.policy.stay else None

    def next_due(self) -> Millis | None:
        """The earliest moment at which a timer of this process fires."""
        dues = (self._until(command) for command, _ in self._timers.values())
        return min((due for due in dues if due is not None), default=None)

    def retract(self, command_id: str) -> None:
        """Stop it; its result, if it comes, is of no interest."""
        effect = self._effects.pop(command_id, None)
        if effect is not None:
            effect.cancel()
        timer = self._timers.pop(command_id, None)
        if timer is not None:
            timer[1].cancel()

    async def cancel_all(self) -> None:
        tasks = [*self._effects.values(), *(task for _, task in self._timers.values())]
        self._effects.clear()
        self._timers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sleep(self, command: Command, until: Millis) -> None:
        clock = self._ports.clock
        while (left := until - clock.now()) > 0:
            await clock.sleep(left / 1000)
        self._timers.pop(command.id, None)
        at = Millis(max(until, clock.now()))
        if isinstance(command, Await) and command.ask is not None:
            from lowtide.model.answer import expired_event

            subject = self._work.subject
            name, source = f"{subject.execution}:{command.id}", source_of(subject.namespace, subject.workflow)
            over = Received(expired_event(command.ask.kind, name, source, at), 1)
            self._happened(EventsReceived(command=command.id, events=(over,), at=at, random=uniform()))
        else:
            self._happened(TimerFired(command=command.id, at=at, random=uniform()))

    async def _perform(self, command: Command) -> None:
        happened: Event | LowtideError
        began, size = self._ports.clock.monotonic(), 0
        output: JSON = None
        try:
            output = await self._output_of(command)
            happened = EffectSucceeded(command=command.id, output=output, at=self._ports.clock.now(), random=uniform())
            size = len(json.encode(happened))
            self._check_size(size)  # what the journal cannot hold fails its task, not what follows
        except TaskFailed as failure:
            happened = self._failed(command, failure.error)
        except asyncio.CancelledError:
            if command.id not in self._effects:
                raise  # it was retracted; else somebody cancelled what the effect itself was waiting for
            happened = self._failed(command, standard_error("runtime", "the effect was cancelled from within"))
        except (Fenced, Unavailable) as error:
            happened = error
        except Exception as error:
            detail = f"the effect broke: {type(error).__name__}: {error}"
            happened = self._failed(command, standard_error("runtime", detail))
        self._effects.pop(command.id, None)
        self.meter.ended(command, (self._ports.clock.monotonic() - began) * 1000, size, output)
        self._happened(happened)

    def _check_size(self, size: int) -> None:
        largest = self._work.policy.largest
        if largest and size > largest:
            detail = f"the result has {size} bytes, at most {largest} can be kept (LOWTIDE_MAX_PAYLOAD_BYTES)"
            raise TaskFailed(standard_error("runtime", detail))

    async def _output_of(self, command: Command) -> object:
        """What the effect gives.

        A failure seen while the lease is not known to live tells more of this process than of the effect: to one that
        was frozen, every answer comes too late. The effect is performed again, under the same key, once the journal
        has said that the execution is still ours (decision 6).
        """
        while True:
            await self._confirm_lease()
            try:
                with self._ports.clock.working():
                    return await self._within_its_time(command)
            except TaskFailed as failure:
                if self._holds_lease():
                    raise
                log.warning(
                    "an effect is performed again: it failed while the lease was not known to live",
                    extra={"execution": self._work.subject.execution, "task": command.id, "reason": str(failure)},
                )

    async def _confirm_lease(self) -> None:
        """Directly before an effect: the lease lives. Where that is not known, the journal is asked."""
        if self._holds_lease():
            return
        await self._ports.journal.append(self._work.subject.execution, self._work.epoch, [])
        if not self._holds_lease():
            raise Unavailable("the lease is not known to live; the effect was not started")

    def _holds_lease(self) -> bool:
        return self._ports.journal.holds(self._work.subject.execution, self._work.epoch)

    def _failed(self, command: Command, error: Error) -> EffectFailed:
        return EffectFailed(command=command.id, error=error, at=self._ports.clock.now(), random=uniform())

    async def _within_its_time(self, command: Command) -> object:
        """Effects keep to their time themselves and say it better; this ends those that do not."""
        seconds = self._timeout(command) / 1000
        try:
            async with asyncio.timeout(seconds + _GRACE):
                return await self._send(command)
        except TimeoutError as error:
            detail = f"the effect did not end within {seconds:g} s"
            if isinstance(command, RunChild | RunContainer):
                raise Unavailable(detail) from error  # it may have begun: the same start again is harmless
            raise TaskFailed(standard_error("timeout", detail)) from error

    async def _send(self, command: Command) -> object:
        match command:
            case Perform():
                return await self._ports.effects.perform(command, f"{self._work.subject.execution}{command.id}")
            case Publish():
                await self._publish(command)
            case RunChild() | RunContainer():
                await self._ports.register((command,))
            case _:
                raise AssertionError(f"{command!r} is not performed here")
        return None

    async def _publish(self, command: Publish) -> None:
        """Until the broker takes it, within the time of an effect; the event's id makes a repetition harmless."""
        clock, wait = self._ports.clock, 0.1
        ends = clock.monotonic() + self._timeout(command) / 1000
        while True:
            try:
                return await self._ports.publisher.publish(command.event)
            except TooLarge as error:
                raise TaskFailed(standard_error("communication", str(error), status=413)) from error
            except Unavailable as error:
                if clock.monotonic() + wait > ends:
                    raise TaskFailed(standard_error("communication", str(error), status=503)) from error
                await clock.sleep(wait)
                wait = min(wait * 2, 5.0)
