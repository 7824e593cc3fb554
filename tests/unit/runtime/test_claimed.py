"""The journal behind the claim check: signals by reference, and leases of executions whose content is gone."""

from __future__ import annotations

import pytest

from lowtide.errors import PayloadLost, TooLarge
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import EffectSucceeded
from lowtide.runtime.claimed import ClaimedJournal
from lowtide.runtime.claims import Claims
from lowtide.runtime.clock import SystemClock
from lowtide.testing.journal import JournalStore, MemoryJournal
from lowtide.testing.payloads import MemoryPayloads
from lowtide.wire.records import Claimed, Entry
from lowtide.wire.types import Wake
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

ONE = ExecutionId("0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f")
EVENT = EffectSucceeded(command="/do/0/a@1", at=Millis(1), output="x" * 500)
LARGE = Entry(turn=1, event=EVENT)


class Desk:
    """A journal and a payload store; ``journal`` is what a driver would be given."""

    def __init__(self) -> None:
        self.payloads = MemoryPayloads()
        self.store = JournalStore(SystemClock())
        self.claims = Claims(self.payloads, above=200, largest=1000)
        self.journal = ClaimedJournal(MemoryJournal(self.store), self.claims, "tests")


async def test_a_large_entry_is_kept_as_a_reference_and_read_whole() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    await desk.journal.append(ONE, 1, [(1, LARGE)])
    ((_, kept),) = desk.store.entries(ONE)
    assert isinstance(kept.event, Claimed)
    await desk.journal.release(ONE, 1)
    assert (await desk.journal.open(ONE, 1, "d", 0)).tail == ((1, LARGE),)


async def test_a_lease_that_nobody_can_use_is_given_back() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    await desk.journal.append(ONE, 1, [(1, LARGE)])
    await desk.journal.release(ONE, 1)
    desk.payloads.kept.clear()
    with pytest.raises(PayloadLost):
        await desk.journal.open(ONE, 1, "d", 0)
    assert (await MemoryJournal(desk.store, "another").open(ONE, 1, "d", 0)).answer == "ok"


async def test_what_is_larger_than_the_limit_is_refused_before_it_is_put() -> None:
    desk = Desk()
    await desk.journal.open(ONE, 1, "d", 0)
    with pytest.raises(TooLarge, match="at most 1000 can be kept"):
        await desk.journal.append(
            ONE, 1, [(1, Entry(turn=1, event=EffectSucceeded(command="a", at=Millis(1), output="x" * 2000)))]
        )
    assert not desk.payloads.kept
    assert not desk.store.entries(ONE)


@pytest.mark.parametrize("lost", [False, True])
async def test_a_signal_by_reference_is_heard_whole_or_asks_its_owner_to_yield(lost: bool) -> None:
    desk, heard = Desk(), list[Wake]()
    await desk.journal.open(ONE, 1, "d", 0)
    silence = desk.journal.listen(ONE, 1, heard.append)
    wake = await desk.claims.claimed_wake("tests", ONE, Wake(key="k", event=EVENT))
    assert wake.event is None
    if lost:
        desk.payloads.kept.clear()
    assert desk.store.signal(ONE, 1, wake)
    async for attempt in eventually():
        with attempt:
            assert heard == [Wake(key="k", event=None if lost else EVENT)]
    silence()
    assert not desk.store.signal(ONE, 1, wake) or heard[1:] == []
