"""Bulk operations: asked for in one transaction, worked at one by one at the rate that was asked for, from zero too."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lowtide.errors import Conflict, InvalidInput, LowtideError, NotFound, Unavailable
from lowtide.model.base import JSON, Noun
from lowtide.runtime import chance
from lowtide.runtime.clock import Clock
from lowtide.wire import json

from .actions import Kind, Options
from .nouns import millis
from .rounds import Rounds
from .store import executions, operations
from .store.operations import Action, Operation, Result
from .work import Desk, Work

__all__ = ["Asked", "Steward", "ask", "check_rate", "stop"]

log = logging.getLogger("lowtide.orchestrate")

_LEASE: Final = 30.0
_AT_ONCE: Final = 4
_PAGE: Final = 100
_LONGEST_WAIT: Final = 5.0
"""Seconds between two of a slow operation for which it is held; for longer ones it is given back."""

_MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A bulk operation as it is asked for. ``first``: smaller than every id of what it is about."""

    namespace: str
    action: Action
    filter: Noun
    options: Options
    rate: float
    first: str = executions.FIRST
    dedupe: str | None = None
    body_digest: str | None = None


async def ask(work: Work, kind: Kind, asked: Asked, *, dry: bool = False) -> Operation:
    """Store it, once per key; with ``dry`` only count. What begins later than it is not meant.

    Raises :class:`lowtide.errors.Conflict` where its key came before with something else.
    """
    now = await executions.clock(work.tx)
    operation_id = str(chance.new_execution_id(millis(now)))
    values: dict[str, Any] = {
        "id": operation_id,
        "namespace": asked.namespace,
        "action": asked.action,
        "filter": json.encode(asked.filter),
        "options": json.encode(asked.options),
        "rate": asked.rate,
        "phase": "running",
        "matched": 0,
        "cursor": asked.first,
        "bound": await kind.bound(work.tx, operation_id),
        "problems": b"[]",
        "created_at": now,
        "body_digest": asked.body_digest,
    }
    operation = Operation(**values, done=0, skipped=0, failed=0, ended_at=None)
    matched = await kind.count(work.tx, operation)
    operation = replace(operation, matched=matched)
    if dry:
        return operation
    if not await operations.add(work.tx, {**values, "matched": matched, "dedupe": asked.dedupe, "due": now}):
        earlier = await operations.by_dedupe(work.tx, asked.namespace, str(asked.dedupe))
        if earlier is None or earlier.body_digest != asked.body_digest:
            raise Conflict("this Idempotency-Key came before with another operation; use a new key")
        return earlier
    work.after.operations = True
    return operation


async def stop(work: Work, namespace: str, operation_id: str) -> Operation:
    """Do nothing more of it; what it has done stays. Raises :class:`lowtide.errors.NotFound`, ``Conflict``."""
    found = await operations.lock(work.tx, operation_id)
    if found is None or found.namespace != namespace:
        raise NotFound(f"there is no operation {operation_id} in namespace {namespace}")
    if found.phase == "completed":
        raise Conflict(f"operation {operation_id} has completed: there is nothing to stop")
    await operations.end(work.tx, operation_id, "stopped")
    stopped = await operations.find(work.tx, namespace, operation_id)
    assert stopped is not None
    return stopped


class Steward(Rounds):
    """Works at bulk operations. ``kinds``: who knows how each action is done."""

    def __init__(self, desk: Desk, clock: Clock, kinds: Mapping[Action, Kind]) -> None:
        super().__init__("bulk operations")
        self._desk = desk
        self._clock = clock
        self._kinds = kinds

    async def _round(self) -> float:
        room = 0 if self._stopped.is_set() else _AT_ONCE - self._busy
        found = await self._desk.database.run(lambda tx: operations.claim(tx, _LEASE, room)) if room else []
        for operation in found:
            self._busy += 1
            self._tasks.spawn(self._serve(operation), f"operation {operation.id}")
        horizon = self._desk.terms.tick_horizon
        living, due = await self._desk.database.run(lambda tx: operations.outlook(tx, horizon))
        return self._rest(due, living=living)

    async def _serve(self, operation: Operation) -> None:
        pause = _LONGEST_WAIT  # also where a defect of ours ends it: it is tried again, but not at once
        try:
            try:
                pause = await self._work(operation)
            except Unavailable as error:
                log.warning("operation %s goes on in %.0f s: %s", operation.id, pause, error)
            finally:
                if pause >= 0:
                    await self._desk.database.run(lambda tx: operations.release(tx, operation.id, pause))
        finally:
            self._busy -= 1
            self._kicked.set()

    async def _work(self, operation: Operation) -> float:
        """Go on with it; the seconds until it goes on again, negative where it is over or somebody else's."""
        kind, began, dealt = self._kinds[operation.action], self._clock.monotonic(), 0
        waiting: deque[str] = deque()
        while not self._stopped.is_set():
            if not waiting:
                waiting.extend(await self._next(kind, operation))
            if not waiting:
                return -1.0
            one = waiting.popleft()
            if not await self._deal(kind, operation, one):
                return -1.0
            operation, dealt = replace(operation, cursor=one), dealt + 1
            pause = began + dealt / operation.rate - self._clock.monotonic()
            if pause > _LONGEST_WAIT:
                return pause
            await self._rest_for(pause)
        return 0.0

    async def _next(self, kind: Kind, operation: Operation) -> Sequence[str]:
        """Those that it comes to next; where there are none, it has completed."""

        async def look(work: Work) -> Sequence[str]:
            found = await kind.page(work.tx, operation, _PAGE)
            if not found and await operations.end(work.tx, operation.id, "completed"):
                log.info("operation %s (%s) has completed", operation.id, operation.action)
            return found

        return await self._desk.do(look)

    async def _rest_for(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _deal(self, kind: Kind, operation: Operation, one: str) -> bool:
        """Do it to one; ``False`` where the operation was stopped, or somebody else works at it."""
        prepared: object = None
        refused: LowtideError | None = None
        try:
            prepared = await kind.prepare(operation, one)
        except LowtideError as error:
            if error.retryable:
                raise
            refused = error

        async def commit(work: Work) -> bool:
            found = await operations.lock(work.tx, operation.id)
            if found is None or found.phase != "running" or found.cursor != operation.cursor:
                return False
            result, why = ("failed", refused) if refused else await _apply(work, kind, found, one, prepared)
            problems = _with_problem(found, one, why) if why else found.problems
            await operations.advance(work.tx, found.id, one, result, problems, _LEASE)
            return True

        return await self._desk.do(commit)


async def _apply(
    work: Work, kind: Kind, operation: Operation, one: str, prepared: object
) -> tuple[Result, LowtideError | None]:
    """What cannot be done leaves nothing behind but its reason."""
    try:
        async with work.tx.begin_nested():
            return ("done" if await kind.apply(work, operation, one, prepared) else "skipped"), None
    except LowtideError as error:
        if error.retryable:
            raise
        return "failed", error


def _with_problem(operation: Operation, one: str, why: LowtideError) -> bytes:
    known: list[JSON] = json.parse(operation.problems)
    return json.encode([*known[1 - _MOST_PROBLEMS :], {"id": one, "code": why.code, "detail": str(why)}])


def check_rate(rate: JSON, most: float) -> float:
    """Raises :class:`lowtide.errors.InvalidInput` where this is no rate."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= most:
        raise InvalidInput(f"rate: how many per second, more than 0 and at most {most:g}; found {rate!r}")
    return float(rate)
