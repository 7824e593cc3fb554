"""Spans as they are recorded, and what becomes of them where nobody takes them."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from lowtide.errors import Misconfigured
from lowtide.runtime.chance import digits
from lowtide.telemetry import otlp
from lowtide.telemetry.otlp import Exporter
from lowtide.telemetry.tracing import Span, Tracer, current, handed_on
from lowtide.wire.traces import Trace, read
from tests.ports import free_port
from tests.standins.collector import collector

pytestmark = pytest.mark.anyio

ABOVE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", state="shop=7")


@pytest.fixture
def kept() -> list[Span]:
    return []


@pytest.fixture
def tracer(kept: list[Span]) -> Tracer:
    return Tracer(kept.append, time.time_ns, digits)


@pytest.fixture
def silent() -> Iterator[str]:
    """Somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_what_is_done_in_a_span_is_below_it(tracer: Tracer, kept: list[Span]) -> None:
    with tracer.span("outer", ABOVE) as outer:
        with tracer.span("inner") as inner:
            assert current() == f"00-{ABOVE.trace}-{inner.trace.span}-01 shop=7"
    assert current() is None
    assert [(span.name, span.parent) for span in kept] == [("inner", outer.trace.span), ("outer", ABOVE.span)]
    assert {span.trace.trace for span in kept} == {ABOVE.trace}


def test_an_error_that_leaves_a_span_is_its_failure(tracer: Tracer, kept: list[Span]) -> None:
    with pytest.raises(KeyError), tracer.span("broken"):
        raise KeyError("a secret of the document")
    assert kept[0].failure == "KeyError"


def test_of_traces_that_begin_here_a_share_is_recorded() -> None:
    kept: list[Span] = []
    tracer = Tracer(kept.append, time.time_ns, digits, share=0.25)
    for _ in range(1000):
        with tracer.span("one"):
            pass
    assert 150 < len(kept) < 350


def test_whether_others_record_a_trace_is_theirs_to_say(kept: list[Span]) -> None:
    nothing = Tracer(kept.append, time.time_ns, digits, share=0.0)
    with nothing.span("theirs", ABOVE):
        pass
    with nothing.span("not theirs", Trace(ABOVE.trace, ABOVE.span, sampled=False)):
        assert (current() or "").endswith("-00")
    assert [span.name for span in kept] == ["theirs"]


def test_a_context_is_handed_on_where_nothing_is_recorded() -> None:
    with handed_on(ABOVE.text):
        assert current() == ABOVE.text
    with handed_on("no trace of anybody"):
        assert current() is None


async def test_spans_arrive_as_they_were_recorded() -> None:
    with collector() as there:
        exporter = Exporter("tests", there.endpoint)
        tracer = Tracer(exporter.keep, time.time_ns, digits)
        span = tracer.span("one", ABOVE, "client", number=3, text="t")
        span.links = (Trace(ABOVE.trace, "00f067aa0ba902b7"),)
        with pytest.raises(ValueError), span:
            raise ValueError
        await exporter.close(20.0)
        (came,) = there.spans(ABOVE.trace)
    assert (came.part, came.name, came.id, came.parent) == ("lowtide-tests", "one", span.trace.span, ABOVE.span)
    assert came.links == [(ABOVE.trace, "00f067aa0ba902b7")]
    assert came.attributes == {"lowtide.number": 3, "lowtide.text": "t"}
    assert (came.began, came.ended, came.failed) == (span.began, span.ended, True)
    assert (exporter.sent, exporter.dropped) == (1, 0)


@pytest.mark.parametrize("there", ["away", "silent"])
async def test_nobody_waits_for_a_collector(there: str, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "_MOST", 100)
    exporter = Exporter("tests", silent if there == "silent" else f"http://127.0.0.1:{free_port()}")
    tracer = Tracer(exporter.keep, time.time_ns, digits)
    for _ in range(250):
        tracer.span("one", ABOVE).end()
    assert exporter.dropped == 150, "as many as have no room"
    async with asyncio.timeout(10):
        await exporter.close(0.2)
    assert exporter.dropped == 250
    assert "traces" not in {thread.name for thread in threading.enumerate()}, "it does not go on for ever"


def test_an_endpoint_without_the_extra_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"install lowtide\[otel\]"):
        Exporter("tests", "http://collector:4317")


def test_what_is_read_of_a_context_is_what_the_standard_knows() -> None:
    assert read(ABOVE.text) == ABOVE
    assert read(f"cc-{ABOVE.trace}-{ABOVE.span}-09-what-will-be") == Trace(ABOVE.trace, ABOVE.span)
    for wrong in (
        None,
        "",
        f"ff-{ABOVE.trace}-{ABOVE.span}-01",
        f"00-{'0' * 32}-{ABOVE.span}-01",
        f"00-{ABOVE.trace}-{'0' * 16}-01",
        f"00-{ABOVE.trace.upper()}-{ABOVE.span}-01",
        ABOVE.trace,
    ):
        assert read(wrong) is None, wrong
