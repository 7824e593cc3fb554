"""The outbox's way out: claims rows in a committed update, sends them without a transaction, removes what was taken.

One channel per kind of row, so that a Broker that is down does not keep changes from ingest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lowtide.errors import LowtideError
from lowtide.runtime.clock import Clock

from .background import Background
from .store import outbox
from .store.outbox import Kind, ToSend
from .work import Desk, Work

__all__ = ["Channel", "Claim", "Refuse", "Send"]

log = logging.getLogger("lowtide.orchestrate")

Claim = Callable[[Desk, float, int], Awaitable[list[ToSend]]]
Send = Callable[[Sequence[ToSend]], Awaitable[None]]
Refuse = Callable[[Work, ToSend, LowtideError], Awaitable[None]]

_LEASE: Final = 30.0
_LONGEST_PAUSE: Final = 60.0
_BLOCKED: Final = 1.0
"""Seconds after which to look again for rows that are due and cannot be claimed: no more may be with the Broker."""
_LONGEST_REST: Final = 300.0
"""Seconds without a look while nothing is due: who brings something kicks, and every tick looks for what is left."""


class Channel:
    """Sends rows of one kind, at most ``width`` at a time. What comes within ``gather`` seconds is claimed together,
    and handed to ``send`` in groups of at most ``together`` rows.

    ``send`` raises where a row was not taken: what is retryable comes again with growing pauses, the whole group; for
    the rest ``refuse`` says in the store what became of it, once each row of the group had its own attempt.
    ``sent`` and ``put_off`` count rows.
    """

    def __init__(
        self,
        kind: Kind,
        desk: Desk,
        clock: Clock,
        claim: Claim,
        send: Send,
        refuse: Refuse,
        *,
        width: int = 64,
        together: int = 1,
        gather: float = 0.0,
    ) -> None:
        self.sent = self.put_off = 0
        self._kind: Final = kind
        self._desk = desk
        self._clock = clock
        self._claim, self._send, self._refuse = claim, send, refuse
        self._width = width
        self._together = together
        self._gather = gather
        self._kicked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks = Background()
        self._flying: set[int] = set()
        self._done: list[int] = []
        self._late: list[tuple[int, float]] = []
        self._renewed = 0.0
        self._expected: asyncio.TimerHandle | None = None
        self._blocked = False

    def kick(self) -> None:
        """There is something new to send."""
        self._idle.clear()
        self._kicked.set()

    def unblock(self) -> None:
        """What is due and could not be claimed may be claimed now: there is room again."""
        if self._blocked:
            self.kick()

    def expect(self, seconds: float) -> None:
        """There will be something to send by then, unless it is taken back."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._expected is None or due < self._expected.when():
            if self._expected is not None:
                self._expected.cancel()
            self._expected = loop.call_at(due, self._come)

    def _come(self) -> None:
        self._expected = None
        self.kick()

    async def quiet(self, timeout: float) -> None:
        """Return when nothing that was due is left, or after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Until cancelled; what is being sent then may be sent again by another process.

        It begins with the first :meth:`kick`: whoever starts it says where there is something to send.
        """
        pause = 0.5
        await self._kicked.wait()
        while True:
            self._kicked.clear()
            try:
                wait = await self._round()
                pause = 0.5
            except LowtideError as error:
                log.warning("the outbox (%s) rests for %.1f s: %s", self._kind, pause, error)
            except Exception:  # a defect of ours must not end the loop: everything else still has to be sent
                log.exception("the outbox (%s) rests for %.1f s", self._kind, pause)
            else:
                if wait > 0:
                    await self._pause(wait)
                    await self._clock.sleep(self._gather)
                continue
            await self._clock.sleep(pause)
            pause = min(2 * pause, 10.0)

    async def close(self, grace: float) -> None:
        """Let what is being sent arrive, and note that it did."""
        if self._expected is not None:
            self._expected.cancel()
        await self._tasks.close(grace)
        if not self._done and not self._late:
            return
        try:
            await self._settle()
        except LowtideError as error:
            log.warning("what was sent could not be noted, it may be sent again: %s", error)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._kicked.wait()
        except TimeoutError:
            return

    async def _round(self) -> float:
        """Note what was sent, send what is due; how many seconds there is nothing to do."""
        room = self._width - len(self._flying)
        found, due = await self._look(room)
        self._flying.update(row.id for row in found)
        for first in range(0, len(found), self._together):
            self._tasks.spawn(self._carry(found[first : first + self._together]), f"sending {self._kind}s")
        if found and len(found) == room:
            return 0.0 if self._width > len(self._flying) else _LEASE / 3
        if self._flying:
            return _LEASE / 3
        if due is None or due > 0.05:
            self._idle.set()
        self._blocked = due is not None and due <= 0
        if self._blocked:
            return _BLOCKED
        return _LONGEST_REST if due is None else min(max(due, 0.05), _LONGEST_REST)

    async def _look(self, room: int) -> tuple[list[ToSend], float | None]:
        """What is due now, claimed; and in how many seconds the next row is, where nothing is on its way."""
        settled, due = await self._settle()
        if settled and (due is None or due > 0):
            return [], due
        found = await self._claim(self._desk, _LEASE, room) if room else []
        if found or self._flying:
            return found, None
        return [], await self._desk.database.alone(lambda driver: outbox.next_due(driver, self._kind))

    async def _settle(self) -> tuple[bool, float | None]:
        """Whether there was something to note of rows that were claimed, and in how many seconds the next is due then.

        A statement of its own: where what follows fails, this is done.
        """
        done, late = self._done[:], self._late[:]
        flying: list[tuple[int, float]] = []
        if self._flying and self._clock.monotonic() - self._renewed > _LEASE / 4:
            self._renewed = self._clock.monotonic()
            flying = [(row, _LEASE) for row in self._flying]
        if not done and not late and not flying:
            return False, None
        moments = [*late, *flying]
        due = await self._desk.database.alone(lambda driver: outbox.settle(driver, self._kind, done, moments))
        del self._done[: len(done)]
        del self._late[: len(late)]
        return True, due

    async def _carry(self, rows: Sequence[ToSend]) -> None:
        try:
            await self._send(rows)
            self._done.extend(row.id for row in rows)
            self.sent += len(rows)
        except LowtideError as failure:
            if failure.retryable:
                self._put_off(rows, failure)
            elif len(rows) > 1:  # one of them is to blame: the others must not suffer
                for row in rows:
                    await self._carry([row])
            else:
                await self._give_up(rows[0], failure)
        finally:
            self._flying.difference_update(row.id for row in rows)
            self._kicked.set()

    def _put_off(self, rows: Sequence[ToSend], failure: LowtideError) -> None:
        self.put_off += len(rows)
        for row in rows:
            pause = min(0.5 * 2 ** min(row.attempts, 10), _LONGEST_PAUSE)
            log.warning(
                "a %s of %s comes again in %.1f s: %s",
                self._kind,
                row.execution,
                pause,
                failure,
                extra={"execution": row.execution},
            )
            self._late.append((row.id, pause))

    async def _give_up(self, row: ToSend, failure: LowtideError) -> None:
        log.error("a %s of %s is refused: %s", self._kind, row.execution, failure, extra={"execution": row.execution})
        await self._desk.do(lambda work: self._refuse(work, row, failure))
        self._done.append(row.id)
