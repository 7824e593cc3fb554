"""How the appends of one group are judged, without a database."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.appending import Held, Ledger
from functions.ingest.work import Append
from lowtide.rpc.v1 import ingest_pb2 as pb

_ONE = UUID(int=1)


def append(*numbers: int, epoch: int = 1, close: tuple[str, bytes] | None = None) -> Append:
    return Append(_ONE, epoch, tuple((number, b"%d" % number) for number in numbers), close)


def ledger(last: int = 0, closed: tuple[str, bytes] | None = None) -> Ledger:
    written = {(_ONE, number): (1, b"%d" % number) for number in range(1, last + 1)}
    return Ledger({_ONE: Held(1, "me", closed, last)}, written)


def reason(refusal: pb.Refusal | None) -> str | None:
    return None if refusal is None else pb.Refusal.Reason.Name(refusal.reason)


def test_only_the_owner_of_the_epoch_may_append() -> None:
    assert reason(ledger().judge(append(1), "me")) is None
    assert reason(ledger().judge(append(1), "other")) == "FENCED"
    assert reason(ledger().judge(append(1, epoch=2), "me")) == "FENCED"
    assert reason(Ledger({}).judge(append(1), "me")) == "FENCED"


def test_a_refused_append_leaves_nothing_to_write() -> None:
    book = ledger(last=2)
    assert reason(book.judge(append(2, 4, close=("t", b"")), "me")) == "INVALID"
    assert (book.records, book.closes) == ([], [])


def test_a_close_sent_twice_is_known_and_another_one_is_fenced() -> None:
    book = ledger(last=1)
    assert reason(book.judge(append(2, close=("t", b"1")), "me")) is None
    assert reason(book.judge(append(2, close=("t", b"1")), "me")) is None
    assert reason(book.judge(append(close=("t", b"2")), "me")) == "FENCED"
    assert reason(book.judge(append(3), "me")) == "FENCED"
    assert book.closes == [(_ONE, "t", b"1")]


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4)), max_size=12), st.integers(0, 5))
def test_whatever_is_resent_the_journal_stays_without_gaps(pieces: list[tuple[int, int]], last: int) -> None:
    book = ledger(last)
    for start, length in pieces:
        book.judge(append(*range(start, start + length)), "me")
    numbers = [number for _, number, _, _ in book.records]
    assert numbers == list(range(last + 1, last + 1 + len(numbers)))
