"""Dead letters, when an operator has looked at them: redriven, or discarded.

To redrive is to do again what the letter's event asks for. All of that may be done twice: outcomes and events from the
world are known by their ids, and of a dispatch the journal says what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.errors import Conflict, NotFound
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent, from_json
from lowtide.wire.types import DISPATCH, OUTCOMES, REGISTERED

from .incoming import accept, match_again
from .lost import ask_again
from .ports import Ingest
from .reports import Reports
from .store import deadletters, executions
from .store.database import Tx
from .store.deadletters import Letter, LetterFilter
from .store.operations import Operation
from .suspending import resume
from .work import Desk, Work

__all__ = ["DISCARDED", "LetterActions", "Redriver", "discard"]

DISCARDED = "discarded"


class Redriver:
    def __init__(self, desk: Desk, ingest: Ingest, reports: Reports) -> None:
        self._desk = desk
        self._ingest = ingest
        self._reports = reports

    async def redrive(self, namespace: str, number: int) -> Letter:
        """Do again what a letter asks for, and note what became of it.

        Raises :class:`lowtide.errors.NotFound`, ``Conflict`` where it was discarded or its event is not kept.
        """
        verdict = await self.try_again(namespace, number)
        await self._desk.database.run(lambda tx: deadletters.settle(tx, number, verdict, redriven=True))
        return await self._find(namespace, number)

    async def try_again(self, namespace: str, number: int) -> str:
        """What became of it this time; nothing is noted."""
        letter = await self._find(namespace, number)
        if letter.verdict == DISCARDED:
            raise Conflict(f"dead letter {number} was discarded")
        if letter.type == DISPATCH:
            return await self._dispatch(letter)
        event = _event_of(letter)
        if letter.type in (*OUTCOMES, REGISTERED):
            return await self._reports.take(event)
        if await accept(self._desk, [event], None):
            return "applied"
        return "again" if await match_again(self._desk, event, letter.namespace) else "ignored"

    async def _dispatch(self, letter: Letter) -> str:
        execution, epoch = letter.execution, letter.epoch
        assert execution is not None
        assert epoch is not None
        if await self._desk.do(lambda work: _resumed(work, execution, epoch)):
            return "again"
        return await ask_again(self._desk, self._ingest, execution, epoch)

    async def _find(self, namespace: str, number: int) -> Letter:
        found = await self._desk.database.run(lambda tx: deadletters.find(tx, namespace, number))
        if found is None:
            raise NotFound(f"there is no dead letter {number} in namespace {namespace}")
        return found


async def _resumed(work: Work, execution: str, epoch: int) -> bool:
    """Let an execution go on that was suspended in this epoch; whether it was."""
    found = await executions.lock(work.tx, execution)
    if found is None or found[0].phase != "suspended" or found[0].epoch != epoch:
        return False
    await resume(work, execution)
    return True


async def discard(work: Work, namespace: str, number: int) -> Letter:
    """Nobody need look at it any more. Raises :class:`lowtide.errors.NotFound`."""
    if await deadletters.find(work.tx, namespace, number, lock=True) is None:
        raise NotFound(f"there is no dead letter {number} in namespace {namespace}")
    await deadletters.settle(work.tx, number, DISCARDED, redriven=False)
    found = await deadletters.find(work.tx, namespace, number)
    assert found is not None
    return found


def _event_of(letter: Letter) -> CloudEvent:
    if letter.event is None:
        raise Conflict(f"the event of dead letter {letter.id} was too large to be kept; have it sent again")
    return from_json(json.parse(letter.event))


class LetterActions:
    """What bulk operations do to dead letters."""

    def __init__(self, redriver: Redriver) -> None:
        self._redriver = redriver

    async def bound(self, tx: Tx, operation_id: str) -> str:
        return str(await deadletters.newest(tx))

    async def count(self, tx: Tx, operation: Operation) -> int:
        return await deadletters.count(tx, operation.namespace, _filter(operation), int(operation.bound))

    async def page(self, tx: Tx, operation: Operation, limit: int) -> Sequence[str]:
        bound, cursor = int(operation.bound), int(operation.cursor)
        found = await deadletters.matching(tx, operation.namespace, _filter(operation), bound, cursor, limit)
        return [str(number) for number in found]

    async def prepare(self, operation: Operation, one: str) -> object:
        return await self._redriver.try_again(operation.namespace, int(one)) if operation.action == "redrive" else None

    async def apply(self, work: Work, operation: Operation, one: str, prepared: object) -> bool:
        if isinstance(prepared, str):
            await deadletters.settle(work.tx, int(one), prepared, redriven=True)
        else:
            await discard(work, operation.namespace, int(one))
        return True


def _filter(operation: Operation) -> LetterFilter:
    return json.decode(operation.filter, LetterFilter)
