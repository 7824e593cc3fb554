"""What the driver may expect of a journal, on the one in memory and on ingest with PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import psycopg
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.errors import Fenced, InvalidInput
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import CancelAsked, EffectSucceeded
from lowtide.runtime.chance import new_execution_id, new_owner, uniform
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.ports import Journal
from lowtide.testing.journal import JournalStore, MemoryJournal
from lowtide.wire.records import Closing, Entry
from lowtide.wire.types import COMPLETED, Wake
from tests.eventually import eventually
from tests.ingests import IngestProcess

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_DIGEST = "d" * 64
_DONE = Closing(COMPLETED, b'{"status":"completed"}')


class Installation(Protocol):
    """A journal that several processes use."""

    def process(self) -> Journal: ...

    def die(self, journal: Journal) -> None:
        """The process of ``journal`` is gone, and its time is up."""
        ...

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool: ...

    async def drop(self, execution: ExecutionId, *, forget: bool = False) -> None:
        """The execution was deleted."""
        ...


class InMemory:
    def __init__(self) -> None:
        self._store = JournalStore(SystemClock(), ttl=0.0)

    def process(self) -> MemoryJournal:
        return MemoryJournal(self._store, new_owner())

    def die(self, journal: Journal) -> None:
        assert isinstance(journal, MemoryJournal)
        journal.freeze()

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        return self._store.signal(execution, epoch, wake)

    async def drop(self, execution: ExecutionId, *, forget: bool = False) -> None:
        self._store.drop(execution, forget=forget)


@dataclass
class OnIngest:
    ingest: IngestProcess
    clients: list[IngestClient]

    def process(self) -> IngestClient:
        client = IngestClient(self.ingest.target, owner=new_owner(), clock=SystemClock(), chance=uniform)
        self.clients.append(client)
        return client

    def die(self, journal: Journal) -> None:
        """Seen by the others through the database's clock alone, so it is that which the test turns."""
        assert isinstance(journal, IngestClient)
        with psycopg.connect(self.ingest.stores.journal, autocommit=True) as connection:
            expire = "UPDATE owners SET expires_at = now() - interval '1 second' WHERE owner = %s"
            connection.execute(expire, [journal.owner])

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        return await self.process().signal(execution, epoch, wake)

    async def drop(self, execution: ExecutionId, *, forget: bool = False) -> None:
        await self.process().drop_journals([execution], forget=forget)


@pytest.fixture(params=["memory", "ingest"])
async def installation(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    kind: Literal["memory", "ingest"] = request.param
    if kind == "memory":
        yield InMemory()
        return
    remote = OnIngest(request.getfixturevalue("ingest"), [])
    yield remote
    for client in remote.clients:
        await client.aclose()


def execution() -> ExecutionId:
    return new_execution_id(SystemClock().now())


def entry(number: int, text: str = "done") -> tuple[int, Entry]:
    return number, Entry(turn=number, event=EffectSucceeded(at=Millis(number), command=f"c{number}", output=text))


async def test_a_new_execution_opens_with_an_empty_tail(installation: Installation) -> None:
    journal = installation.process()
    opened = await journal.open(one := execution(), 1, _DIGEST, 0)
    assert (opened.answer, opened.tail) == ("ok", ())
    assert journal.holds(one, 1)


async def test_the_next_owner_reads_what_the_last_one_appended(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    await first.append(one, 1, [entry(1), entry(2)])
    await first.append(one, 1, [entry(3)])
    installation.die(first)
    opened = await second.open(one, 1, _DIGEST, 1)
    assert (opened.answer, opened.tail) == ("ok", (entry(2), entry(3)))


async def test_records_of_older_epochs_are_in_the_tail(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    await first.append(one, 1, [entry(1)], _DONE)
    opened = await second.open(one, 2, "e" * 64, 0)
    assert (opened.answer, opened.tail) == ("ok", (entry(1),))


async def test_a_living_owner_is_never_robbed(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    opened = await second.open(one, 1, _DIGEST, 0)
    assert opened.answer == "held"
    assert opened.reason
    assert not second.holds(one, 1)


async def test_a_dispatch_that_comes_twice_to_one_process_is_held(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    await journal.open(one, 1, _DIGEST, 0)
    assert (await journal.open(one, 1, _DIGEST, 0)).answer == "held"
    assert journal.holds(one, 1)


async def test_a_higher_epoch_takes_over_from_a_living_owner(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    assert (await second.open(one, 2, "e" * 64, 0)).answer == "ok"
    with pytest.raises(Fenced):
        await first.append(one, 1, [entry(1)])
    assert not first.holds(one, 1)


async def test_an_older_epoch_is_gone(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 2, _DIGEST, 0)
    assert (await second.open(one, 1, "e" * 64, 0)).answer == "gone"


async def test_the_same_epoch_with_another_dispatch_diverged(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    assert (await second.open(one, 1, "e" * 64, 0)).answer == "diverged"


async def test_a_journal_shorter_than_the_snapshot_diverged(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    opened = await journal.open(one, 2, _DIGEST, 7)
    assert opened.answer == "diverged"
    assert "7" in opened.reason


async def test_a_closed_epoch_answers_with_its_outcome(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    await first.append(one, 1, [entry(1)], _DONE)
    assert not first.holds(one, 1)
    for journal in (second, first):
        opened = await journal.open(one, 1, _DIGEST, 0)
        assert (opened.answer, opened.closing) == ("closed", _DONE)


async def test_a_close_without_records_is_a_close(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    await journal.open(one, 1, _DIGEST, 0)
    await journal.append(one, 1, [], _DONE)
    assert (await journal.open(one, 1, _DIGEST, 0)).closing == _DONE


async def test_an_owner_that_was_frozen_too_long_is_fenced_and_writes_nothing(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    installation.die(first)
    assert (await second.open(one, 1, _DIGEST, 0)).answer == "ok"
    with pytest.raises(Fenced):
        await first.append(one, 1, [entry(1, "from the dead")])
    await second.append(one, 1, [entry(1, "from the living")])
    installation.die(second)
    opened = await installation.process().open(one, 1, _DIGEST, 0)
    assert opened.tail == (entry(1, "from the living"),)


async def test_a_lease_that_was_given_back_is_free_at_once(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    await first.append(one, 1, [entry(1)])
    await first.release(one, 1)
    assert not first.holds(one, 1)
    async for attempt in eventually():
        with attempt:
            assert (await second.open(one, 1, _DIGEST, 0)).tail == (entry(1),)


async def test_what_was_given_back_can_be_opened_again_by_the_same_process(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    for number in (1, 2, 3):
        opened = await journal.open(one, 1, _DIGEST, 0)
        assert (opened.answer, len(opened.tail)) == ("ok", number - 1)
        await journal.append(one, 1, [entry(number)])
        await journal.release(one, 1)


async def test_an_append_without_a_lease_is_fenced(installation: Installation) -> None:
    with pytest.raises(Fenced):
        await installation.process().append(execution(), 1, [entry(1)])


async def test_an_append_of_nothing_asks_whether_the_lease_lives(installation: Installation) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    await first.open(one, 1, _DIGEST, 0)
    await first.append(one, 1, [])
    assert first.holds(one, 1)
    await second.open(one, 2, _DIGEST, 0)
    with pytest.raises(Fenced):
        await first.append(one, 1, [])
    assert not first.holds(one, 1)


async def test_a_record_that_does_not_follow_is_refused(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    await journal.open(one, 1, _DIGEST, 0)
    with pytest.raises(InvalidInput):
        await journal.append(one, 1, [entry(2)])


async def test_a_wake_reaches_the_running_owner(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    await journal.open(one, 1, _DIGEST, 0)
    heard: list[Wake] = []
    silence = journal.listen(one, 1, heard.append)
    wake = Wake(key="cancel", event=CancelAsked(at=Millis(5)))
    assert await installation.signal(one, 1, wake)
    async for attempt in eventually():
        with attempt:
            assert heard == [wake]
    silence()


@pytest.mark.parametrize("ended", ["never opened", "older epoch", "closed", "dead"])
async def test_a_wake_for_nobody_says_so(installation: Installation, ended: str) -> None:
    journal, one, epoch = installation.process(), execution(), 1
    situations: dict[str, Callable[[], None]] = {"dead": lambda: installation.die(journal)}
    if ended != "never opened":
        await journal.open(one, 2, _DIGEST, 0)
        epoch = 1 if ended == "older epoch" else 2
    if ended == "closed":
        await journal.append(one, 2, [], _DONE)
    situations.get(ended, lambda: None)()
    assert not await installation.signal(one, epoch, Wake(key="k", event=CancelAsked(at=Millis(5))))


@pytest.mark.parametrize("was", ["never opened", "running", "closed"])
async def test_a_deleted_execution_is_gone_for_whoever_comes_late(installation: Installation, was: str) -> None:
    first, second, one = installation.process(), installation.process(), execution()
    if was != "never opened":
        await first.open(one, 2, _DIGEST, 0)
        await first.append(one, 2, [entry(1)], _DONE if was == "closed" else None)
    for _ in range(2):
        await installation.drop(one)
    for epoch, upto in ((1, 0), (2, 0), (2, 1), (3, 1), (1000, 0)):
        opened = await second.open(one, epoch, _DIGEST, upto)
        assert (opened.answer, opened.tail, opened.closing) == ("gone", (), None)
    with pytest.raises(Fenced):
        await first.append(one, 2, [entry(2)])
    assert not await installation.signal(one, 2, Wake(key="k", event=CancelAsked(at=Millis(5))))


async def test_of_a_deleted_execution_nothing_is_left_at_the_end(installation: Installation) -> None:
    first, second = installation.process(), installation.process()
    one, other = execution(), execution()
    for each in (one, other):
        await first.open(each, 1, _DIGEST, 0)
        await first.append(each, 1, [entry(1), entry(2)], _DONE)
    for forget in (False, True, True):
        await installation.drop(one, forget=forget)
    opened = await second.open(one, 1, _DIGEST, 0)
    assert (opened.answer, opened.tail) == ("ok", ())  # as if it had never been
    assert (await second.open(other, 2, _DIGEST, 0)).tail == (entry(1), entry(2))


async def test_an_append_that_meets_the_deletion_is_refused_or_goes_with_the_rest(installation: Installation) -> None:
    journal, one = installation.process(), execution()
    await journal.open(one, 1, _DIGEST, 0)
    begun = asyncio.Event()

    async def write() -> None:
        for number in range(1, 100_000):
            await journal.append(one, 1, [entry(number)])
            begun.set()
            await asyncio.sleep(0)

    writing = asyncio.ensure_future(write())
    await begun.wait()
    await installation.drop(one)
    with pytest.raises(Fenced):
        await writing
    await installation.drop(one, forget=True)
    assert (await installation.process().open(one, 1, _DIGEST, 0)).tail == ()
