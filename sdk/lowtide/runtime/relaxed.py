"""The journal of an execution whose durability is relaxed: written behind, and done without while it is away.

Nothing waits for a record to be durable but the end of the epoch. So what a process had in its hands when it died, is
performed again by the next; and while ingest is away the whole invocation is. An outcome is told nevertheless, a park
is not: what goes on later needs its journal (``docs/decisions/0020-relaxed-is-a-journal.md``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final

from lowtide.errors import Fenced, LowtideError, Unavailable
from lowtide.model.base import ExecutionId
from lowtide.runtime.clock import Clock
from lowtide.runtime.ports import Closing, Journal, Opened
from lowtide.wire.records import Entry
from lowtide.wire.types import PARKED, Wake

__all__ = ["Away", "RelaxedJournal"]

log = logging.getLogger("lowtide.runtime.relaxed")

_PATIENCE: Final = 5.0
"""Seconds that the journal is waited for: as long as an ingest may take that starts from zero."""
_SHORT: Final = 0.2
"""Seconds that it is waited for where it was away a moment ago."""
_REMEMBERED: Final = 10.0


class Away:
    """What the invocations of one process know together: whether the journal was away a moment ago."""

    def __init__(self, clock: Clock, patience: float = _PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._until = float("-inf")

    @property
    def patience(self) -> float:
        """Seconds to wait for an answer now."""
        return min(_SHORT, self._patience) if self._clock.monotonic() < self._until else self._patience

    def seen(self, away: bool) -> None:
        self._until = self._clock.monotonic() + _REMEMBERED if away else float("-inf")


class RelaxedJournal:
    """Implements :class:`lowtide.runtime.ports.Journal` for one invocation, in front of ``journal``."""

    def __init__(self, journal: Journal, away: Away) -> None:
        self._journal = journal
        self._away = away
        self._alone = False
        self._fenced: Fenced | None = None
        self._writing: set[asyncio.Task[None]] = set()

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        """As the port says; where nobody answers, the invocation goes on without a lease, and without a tail."""
        try:
            async with asyncio.timeout(self._away.patience):
                opened = await self._journal.open(execution, epoch, digest, upto)
        except (TimeoutError, Unavailable) as error:
            self._go_alone(execution, error)
            return Opened("ok")
        self._away.seen(False)
        return opened

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        """Returns at once, but at the end of the epoch. Raises :class:`lowtide.errors.Fenced` where one of the
        appends before met with it, :class:`lowtide.errors.Unavailable` where a park cannot be written."""
        if self._fenced is not None:
            raise self._fenced
        if closing is not None:
            await self._close(execution, epoch, entries, closing)
        elif entries and not self._alone:
            self._write(execution, self._journal.append(execution, epoch, entries))

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        """Also where that is not known: effects do not wait for an answer."""
        return self._fenced is None

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        return self._journal.listen(execution, epoch, receive)

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        await self._journal.release(execution, epoch)

    async def _close(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing
    ) -> None:
        if not self._alone:
            # What was written before comes before: appends of one execution keep their order.
            ending = self._write(execution, self._journal.append(execution, epoch, entries, closing))
            await asyncio.wait([ending], timeout=self._away.patience)
            if self._fenced is not None:
                raise self._fenced
            if not ending.done():
                self._go_alone(execution, TimeoutError())
            elif not self._alone:
                return self._away.seen(False)
        if closing.type == PARKED:
            raise Unavailable("the journal is away: an execution that ends can do without it, one that parks cannot")
        return None

    def _write(self, execution: ExecutionId, appending: Coroutine[None, None, None]) -> asyncio.Task[None]:
        async def write() -> None:
            try:
                await appending
            except Fenced as error:
                self._fenced = error
            except LowtideError as error:
                self._go_alone(execution, error)

        task = asyncio.ensure_future(write())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    def _go_alone(self, execution: ExecutionId, why: Exception) -> None:
        if not self._alone:
            log.warning(
                "goes on without its journal", extra={"execution": execution, "reason": str(why) or "no answer"}
            )
        self._alone = True
        self._away.seen(True)
