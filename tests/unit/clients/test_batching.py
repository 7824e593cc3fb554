"""What goes into the next batch, and what is dropped when there is no room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lowtide.clients.batching import Buffer, Waiting
from lowtide.rpc.v1 import ingest_pb2 as pb

pytestmark = pytest.mark.anyio


def append(execution: str, number: int, size: int = 2) -> Waiting:
    record = pb.Record(number=number, epoch=1, body=b"x" * size)
    return Waiting((execution, 1), pb.Append(execution=execution, epoch=1, records=[record]))


def batches(buffer: Buffer) -> Iterator[pb.Batch]:
    while buffer.urgent or buffer.patient:
        yield buffer.take(set()).batch


async def test_appends_keep_their_order_across_batches() -> None:
    buffer = Buffer("owner")
    for number in range(1, 8):
        buffer.add(append("a", number, size=400_000))
    numbers = [[a.records[0].number for a in batch.appends] for batch in batches(buffer)]
    assert numbers == [[1, 2], [3, 4], [5, 6], [7]]


async def test_an_append_larger_than_a_batch_goes_alone() -> None:
    buffer = Buffer("owner")
    buffer.add(append("a", 1, size=5_000_000))
    buffer.add(append("b", 1))
    assert [len(batch.appends) for batch in batches(buffer)] == [1, 1]


async def test_history_beyond_its_room_is_dropped_and_counted_in_the_next_batch() -> None:
    buffer = Buffer("owner", room=3)
    for number in range(5):
        buffer.report("facts", pb.TaskFact(number=number))
    buffer.report("logs", pb.LogLine())
    batch = buffer.take(set()).batch
    assert [fact.number for fact in batch.facts] == [0, 1, 2]
    assert dict(batch.dropped) == {"facts": 2, "logs": 1}
    assert not buffer.take(set()).batch.dropped
    assert buffer.dropped == {"facts": 2, "logs": 1}, "the process's own count goes on"


async def test_history_that_is_large_together_is_dropped_before_it_is_many_and_makes_room_when_it_is_sent() -> None:
    line = pb.LogLine(message="x" * 400)
    buffer = Buffer("owner", room_bytes=3 * line.ByteSize())
    for _ in range(5):
        buffer.report("logs", line)
    buffer.report("facts", pb.TaskFact())
    assert (len(buffer), buffer.dropped) == (4, {"logs": 2}), "what is small has room still"
    assert len(buffer.take(set()).batch.logs) == 3
    for _ in range(5):
        buffer.report("logs", line)
    assert len(buffer) == 3
    buffer.give_up(None)
    buffer.report("logs", line)
    assert len(buffer) == 1


async def test_appends_are_never_dropped_for_history() -> None:
    buffer = Buffer("owner", room=0)
    buffer.report("facts", pb.TaskFact())
    buffer.add(append("a", 1))
    assert len(buffer.take(set()).batch.appends) == 1


async def test_doubtful_leases_are_asked_for_with_empty_appends() -> None:
    buffer = Buffer("owner")
    buffer.add(append("a", 1))
    load = buffer.take({("a", 1), ("b", 2)})
    assert [(a.execution, a.epoch, len(a.records)) for a in load.batch.appends] == [("a", 1, 1), ("b", 2, 0)]
    assert load.verified == {("b", 2)}


async def test_giving_up_names_all_who_wait_and_counts_the_history_that_is_lost() -> None:
    buffer = Buffer("owner")
    sent, queued = append("a", 1), append("b", 1)
    buffer.add(sent)
    buffer.report("facts", pb.TaskFact())
    load = buffer.take(set())
    buffer.add(queued)
    buffer.report("logs", pb.LogLine())
    assert buffer.give_up(load) == [sent, queued]
    assert not buffer.urgent
    assert not buffer.patient
    assert dict(buffer.take(set()).batch.dropped) == {"facts": 1, "logs": 1}
