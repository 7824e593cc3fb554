"""Deletion: an execution that has ended goes, and with it all that was kept for it.

Control forgets it in one transaction, which leaves an order to the others (``removals``): ingest takes the journal from
everybody and drops it, the payload store drops what is large. Whatever was under way at that moment (a dispatch that a
Broker delivers late, an owner that does not know) has lost its say; once its token must have expired the same is done
again, for what such an owner may have put into the payload store meanwhile, and the order is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from lowtide.errors import Conflict, LowtideError, NotFound
from lowtide.runtime.clock import Clock

from .ports import Ingest
from .rounds import Rounds
from .store import executions, removals
from .store.removals import Removal
from .work import Desk, Work

__all__ = ["Remover", "delete", "delete_old"]

log = logging.getLogger("lowtide.orchestrate")

_LEASE: Final = 60.0
_TOGETHER: Final = 50
_LONGEST_PAUSE: Final = 300.0
_SOON: Final = 5.0
"""Seconds for which this process is kept for the next one; others wait for a tick."""

_MARGIN: Final = 60.0
"""Seconds by which clocks may differ, and a dispatch may be on its way to the Broker."""

_PORTION: Final = 100


async def delete(work: Work, execution_id: str) -> None:
    """Delete an execution.

    Raises :class:`lowtide.errors.NotFound`; :class:`lowtide.errors.Conflict` where it, or its parent, has not ended.
    """
    found = await executions.lock(work.tx, execution_id)
    if found is None:
        raise NotFound(f"there is no execution {execution_id}")
    execution, _ = found
    if not execution.ended:
        raise Conflict(f"execution {execution.id} has not ended: it is {execution.phase}; cancel it first")
    if not await removals.delete(work.tx, [execution.id]):
        raise Conflict(
            f"execution {execution.id} is a child of {execution.parent}, which has not ended; "
            "delete it after its parent's end, or cancel that one first"
        )
    work.after.removals = True


async def delete_old(desk: Desk, clock: Clock, seconds: float) -> int:
    """Delete what was kept long enough, a portion at a time, for about so many ``seconds``; how many.

    It rests as long as it works: what has to run now comes first.
    """
    began, count = clock.monotonic(), 0

    async def portion(work: Work) -> int:
        found = await removals.old(work.tx, work.terms.retain, _PORTION)
        gone = await removals.delete(work.tx, found) if found else []
        work.after.removals = bool(gone)
        return len(gone)

    while True:
        before = clock.monotonic()
        gone = await desk.do(portion)
        count += gone
        after = clock.monotonic()
        if gone < _PORTION or after - began >= seconds:
            if count:
                log.info("%d executions were kept long enough and are deleted", count)
            return count
        await clock.sleep(after - before)


class Remover(Rounds):
    """Removes what others keep of deleted executions."""

    def __init__(self, desk: Desk, ingest: Ingest) -> None:
        super().__init__("removals")
        self._desk = desk
        self._ingest = ingest

    async def _round(self) -> float:
        free = not self._busy and not self._stopped.is_set()
        found = await self._desk.database.run(lambda tx: removals.claim(tx, _LEASE, _TOGETHER)) if free else []
        if found:
            self._busy += 1
            self._tasks.spawn(self._serve(found), "removing what was deleted")
        due = await self._desk.database.run(removals.outlook)
        living = due is not None and due <= _SOON
        return self._rest(None if self._busy else due, living=living)  # the end of what is being served kicks

    async def _serve(self, found: Sequence[Removal]) -> None:
        try:
            first, last = [one for one in found if not one.last], [one for one in found if one.last]
            for group in (first, last):
                if group:
                    await self._remove(group, forget=group is last)
        finally:
            self._busy -= 1
            self._kicked.set()

    async def _remove(self, group: Sequence[Removal], *, forget: bool) -> None:
        """Journals before payloads: what refers to something goes before that which it refers to."""
        try:
            await self._ingest.drop_journals([one.execution for one in group], forget=forget)
        except LowtideError as error:
            failures: list[LowtideError | None] = [error] * len(group)
        else:
            failures = await asyncio.gather(*(self._drop_payloads(one) for one in group))
        gone = [one.execution for one, failure in zip(group, failures, strict=True) if failure is None]
        terms = self._desk.terms

        async def note(work: Work) -> None:
            if gone and forget:
                await removals.done(work.tx, gone)
            elif gone:
                await removals.fenced(work.tx, gone, terms.token_lifetime + terms.budget + _MARGIN)
            for one, failure in zip(group, failures, strict=True):
                if failure is not None:
                    await removals.put_off(
                        work.tx, one.execution, min(0.5 * 2 ** min(one.attempts, 12), _LONGEST_PAUSE)
                    )

        await self._desk.do(note)
        failed = next((failure for failure in failures if failure is not None), None)
        if failed is not None:
            log.warning("%d removals come again: %s", len(group) - len(gone), failed)

    async def _drop_payloads(self, one: Removal) -> LowtideError | None:
        try:
            await self._desk.claims.drop(one.namespace, one.execution)
        except LowtideError as error:
            return error
        return None
