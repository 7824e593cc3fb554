"""Server-sent events, in whatever pieces they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lowtide.wire.sse import EventStream

_TEXT = b': a comment\nevent: message\nid: 1\ndata: {"a":\ndata: 1}\n\nretry: 10\n\ndata:second\r\n\r\ndata: third\n\n'


def test_the_lines_of_data_of_one_event_are_joined() -> None:
    assert EventStream().feed(_TEXT) == ['{"a":\n1}', "second", "third"]


def test_an_event_that_has_not_ended_is_nothing_yet() -> None:
    stream = EventStream()
    assert stream.feed(b"data: 1\n") == []
    assert stream.feed(b"\n") == ["1"]


@given(st.lists(st.integers(0, len(_TEXT)), max_size=6))
def test_the_pieces_in_which_it_comes_do_not_matter(cuts: list[int]) -> None:
    stream, ends = EventStream(), sorted({*cuts, len(_TEXT)})
    starts = [0, *ends[:-1]]
    pieces = [_TEXT[start:end] for start, end in zip(starts, ends, strict=True)]
    assert [data for piece in pieces for data in stream.feed(piece)] == ['{"a":\n1}', "second", "third"]
