"""The journal written behind: what waits for it, what does not, and what becomes of an invocation without it."""

from __future__ import annotations

import asyncio

import pytest

from lowtide.errors import Fenced, Unavailable
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import EffectSucceeded
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.ports import Closing, Opened
from lowtide.runtime.relaxed import Away, RelaxedJournal
from lowtide.testing.journal import JournalStore, MemoryJournal
from lowtide.wire.records import Entry
from lowtide.wire.types import COMPLETED, PARKED

pytestmark = pytest.mark.anyio

ONE = ExecutionId("0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f")
END = Closing(COMPLETED, b"{}")
PARK = Closing(PARKED, b"{}")


def entry(turn: int) -> Entry:
    return Entry(turn=turn, event=EffectSucceeded(command=f"/do/{turn}/a@{turn}", at=Millis(turn)))


class Slow(MemoryJournal):
    """Nothing is written, or opened, before ``open_gate`` is called."""

    gate: asyncio.Event

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        await self.gate.wait()
        return await super().open(execution, epoch, digest, upto)

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        await self.gate.wait()
        await super().append(execution, epoch, entries, closing)


class Desk:
    """One process with a slow journal; ``patience`` in seconds."""

    def __init__(self, patience: float = 30.0) -> None:
        self.store = JournalStore(SystemClock())
        self.slow = Slow(self.store)
        self.slow.gate = asyncio.Event()
        self.slow.gate.set()
        self.away = Away(SystemClock(), patience)
        self.journal = RelaxedJournal(self.slow, self.away)

    def numbers(self) -> list[int]:
        return [number for number, _ in self.store.entries(ONE)]


async def test_no_record_is_waited_for_but_the_end_waits_for_all() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    desk.slow.gate.clear()
    await desk.journal.append(ONE, 1, [(1, entry(1))])
    await desk.journal.append(ONE, 1, [(2, entry(2))])
    assert desk.journal.holds(ONE, 1)
    assert desk.numbers() == []
    ending = asyncio.ensure_future(desk.journal.append(ONE, 1, [(3, entry(3))], END))
    await asyncio.sleep(0.01)
    assert not ending.done()
    desk.slow.gate.set()
    await ending
    assert desk.numbers() == [1, 2, 3]
    assert desk.store.leases[ONE].closing == END


async def test_where_the_journal_is_away_an_end_is_told_and_a_park_is_not() -> None:
    desk = Desk()
    desk.store.down = True
    assert (await desk.journal.open(ONE, 1, "d", 0)).answer == "ok"
    await desk.journal.append(ONE, 1, [(1, entry(1))])
    await desk.journal.append(ONE, 1, [(2, entry(2))], END)
    with pytest.raises(Unavailable, match="one that parks cannot"):
        await desk.journal.append(ONE, 1, [(2, entry(2))], PARK)
    assert desk.numbers() == []


async def test_a_journal_that_goes_away_in_the_middle_keeps_nobody() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    await desk.journal.append(ONE, 1, [(1, entry(1))])
    await asyncio.sleep(0)
    desk.store.down = True
    await desk.journal.append(ONE, 1, [(2, entry(2))])
    await desk.journal.append(ONE, 1, [(3, entry(3))], END)
    assert desk.numbers() == [1]


async def test_a_journal_that_does_not_answer_is_waited_for_once_and_then_hardly() -> None:
    desk = Desk(patience=0.05)
    desk.slow.gate.clear()
    await desk.journal.open(ONE, 1, "d", 0)
    assert Away(SystemClock()).patience > 1
    long = Away(SystemClock())
    long.seen(True)
    assert long.patience < 1
    long.seen(False)
    assert long.patience > 1
    await desk.journal.append(ONE, 1, [(1, entry(1))], END)


async def test_an_end_that_is_slow_is_told_before_it_is_written_and_written_later() -> None:
    desk = Desk(patience=0.05)
    await desk.journal.open(ONE, 1, "d", 0)
    desk.slow.gate.clear()
    await desk.journal.append(ONE, 1, [(1, entry(1))], END)
    assert desk.numbers() == []
    desk.slow.gate.set()
    await asyncio.sleep(0.01)
    assert desk.numbers() == [1]
    assert desk.store.leases[ONE].closing == END


async def test_an_owner_that_was_succeeded_stops() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    await MemoryJournal(desk.store, "another").open(ONE, 2, "e", 0)
    await desk.journal.append(ONE, 1, [(1, entry(1))])
    await asyncio.sleep(0)
    assert not desk.journal.holds(ONE, 1)
    with pytest.raises(Fenced):
        await desk.journal.append(ONE, 1, [(2, entry(2))])
    with pytest.raises(Fenced):
        await desk.journal.append(ONE, 1, [], END)


async def test_what_another_owner_holds_is_not_taken() -> None:
    desk = Desk()
    await MemoryJournal(desk.store, "another").open(ONE, 1, "d", 0)
    assert (await desk.journal.open(ONE, 1, "d", 0)).answer == "held"
