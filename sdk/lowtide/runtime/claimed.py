"""The journal of one invocation, behind the claim check: whole events on the driver's side, references on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lowtide.errors import LowtideError
from lowtide.model.base import ExecutionId, Value
from lowtide.runtime.claims import Claims
from lowtide.runtime.ports import Closing, Journal, Opened
from lowtide.wire.records import Entry
from lowtide.wire.types import Wake

__all__ = ["ClaimedJournal"]

log = logging.getLogger("lowtide.runtime.claimed")


class ClaimedJournal(Value, frozen=True):
    """Implements :class:`lowtide.runtime.ports.Journal` for executions of one namespace."""

    journal: Journal
    claims: Claims
    namespace: str

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        opened = await self.journal.open(execution, epoch, digest, upto)
        try:
            tail = [
                (number, await self.claims.entry(self.namespace, execution, entry)) for number, entry in opened.tail
            ]
        except BaseException:
            await self.journal.release(execution, epoch)  # nobody will use the lease
            raise
        return Opened(opened.answer, tail=tuple(tail), closing=opened.closing, reason=opened.reason)

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        claimed = [
            (number, await self.claims.claimed_entry(self.namespace, execution, entry)) for number, entry in entries
        ]
        await self.journal.append(execution, epoch, claimed, closing)

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return self.journal.holds(execution, epoch)

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        """A wake that is a reference is received when it is whole. Where it cannot be had, the owner is asked to yield:
        its inbox row comes with the next dispatch."""
        fetching: set[asyncio.Task[None]] = set()

        async def fetch(wake: Wake) -> None:
            try:
                whole = await self.claims.wake(self.namespace, execution, wake)
            except LowtideError as error:
                log.warning("a signal comes later", extra={"execution": execution, "reason": str(error)})
                whole = Wake(key=wake.key, event=None)
            receive(whole)

        def take(wake: Wake) -> None:
            if wake.payload is None:
                receive(wake)
            else:
                task = asyncio.ensure_future(fetch(wake))
                fetching.add(task)
                task.add_done_callback(fetching.discard)

        silence = self.journal.listen(execution, epoch, take)

        def end() -> None:
            silence()
            for task in fetching:
                task.cancel()

        return end

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        await self.journal.release(execution, epoch)
