"""Spans on their way to a collector: OTLP over gRPC by OpenTelemetry's own exporter (extra ``otel``).

In a thread of its own, which nothing waits for but the end of the process, and that for a given time. A collector that
is slow or away costs spans, which are counted, and nothing else.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from lowtide.errors import Misconfigured
from lowtide.telemetry.measures import Measure, Reading
from lowtide.telemetry.tracing import Span, Tracer
from lowtide.wire.traces import Trace

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["Exporter", "Traces", "sending"]

log = logging.getLogger("lowtide.telemetry")

_MOST: Final = 8192
_TOGETHER: Final = 512
_EVERY: Final = 1.0
"""Seconds that spans wait for others."""
_INTERRUPTED: Final = 1.0
"""Seconds that an attempt may take to notice that it is over."""


@dataclass(frozen=True)
class Traces:
    """What one process records, and how it is sent."""

    tracer: Tracer
    exporter: Exporter

    @classmethod
    def of(
        cls, part: str, endpoint: str, share: float, now: Callable[[], int], digits: Callable[[int], str]
    ) -> Traces | None:
        """``None`` where there is no ``endpoint``. Raises :class:`lowtide.errors.Misconfigured` as exporters do."""
        if not endpoint:
            return None
        exporter = Exporter(part, endpoint)
        return cls(Tracer(exporter.keep, now, digits, share), exporter)

    def measures(self) -> tuple[Measure, ...]:
        sent, dropped = "Spans that a collector took", "Spans that none took, or that were too many"
        return (
            Reading("lowtide_spans_sent_total", sent, lambda: self.exporter.sent, kind="counter"),
            Reading("lowtide_spans_dropped_total", dropped, lambda: self.exporter.dropped, kind="counter"),
        )


@asynccontextmanager
async def sending(traces: Traces | None) -> AsyncIterator[None]:
    """Send spans while the context lasts, and what is left when it ends."""
    if traces is None:
        yield
        return
    traces.exporter.start()
    try:
        yield
    finally:
        await traces.exporter.close()


class Exporter:
    """``keep`` takes a span at any time; what comes is sent from :meth:`start` on. ``dropped`` and ``sent`` count.

    Raises :class:`lowtide.errors.Misconfigured` where the extra is missing. Nothing of it is imported before
    :meth:`start`. Headers, certificates, timeouts and more of the resource come from the variables that OpenTelemetry
    defines (``OTEL_EXPORTER_OTLP_*``, ``OTEL_RESOURCE_ATTRIBUTES``).
    """

    def __init__(self, part: str, endpoint: str) -> None:
        if not _installed():
            raise Misconfigured(
                f"traces are to be sent to {endpoint}, and what that needs is not installed: install lowtide[otel], "
                "or unset OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        self.dropped = self.sent = 0
        self._part = part
        self._endpoint = endpoint
        self._waiting: deque[Span] = deque()
        self._wake = threading.Event()
        self._closing = self._given_up = False
        self._thread: threading.Thread | None = None
        self._exporter: OTLPSpanExporter | None = None

    def keep(self, span: Span) -> None:
        if len(self._waiting) >= _MOST:
            self.dropped += 1
        else:
            self._waiting.append(span)

    def start(self) -> None:
        """Begin to send, once."""
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()

    async def close(self, grace: float = 2.0) -> None:
        """Send what waits, for at most ``grace`` seconds."""
        if self._waiting:
            self.start()
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, grace)
            if self._thread.is_alive():
                await self._give_up(self._thread)

    async def _give_up(self, thread: threading.Thread) -> None:
        """A collector does not take them: the thread ends as soon as it can be interrupted."""
        log.warning("the last spans were not taken", extra={"waiting": len(self._waiting)})
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._given_up = True
        if self._exporter is not None:
            self._exporter.shutdown()
        await asyncio.to_thread(thread.join, _INTERRUPTED)

    def _run(self) -> None:
        while True:
            self._wake.wait(_EVERY)
            while self._waiting:
                self._send([self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))])
            if self._closing:
                break
        if self._exporter is not None and not self._given_up:
            self._exporter.shutdown()

    def _send(self, spans: list[Span]) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        try:
            if self._exporter is None:
                from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

                self._exporter = OTLPSpanExporter(endpoint=self._endpoint)
                self._resource = _resource(self._part)
            taken = self._exporter.export(list(_readable(spans, self._resource))) is SpanExportResult.SUCCESS
        except Exception:  # whatever breaks in there, the thread goes on: spans are lost, and counted
            log.exception("spans could not be sent")
            taken = False
        if taken:
            self.sent += len(spans)
        else:
            self.dropped += len(spans)


def _installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.grpc") is not None
    except ModuleNotFoundError:
        return False


def _resource(part: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": f"lowtide-{part}", "service.version": version("lowtide")})


def _readable(spans: Iterable[Span], resource: Resource) -> Iterable[ReadableSpan]:
    """As OpenTelemetry's exporters want them."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode

    scope = InstrumentationScope("lowtide", version("lowtide"))
    for span in spans:
        above = Trace(span.trace.trace, span.parent)
        yield ReadableSpan(
            name=span.name,
            context=_context(span.trace),
            parent=_context(above) if span.parent else None,
            resource=resource,
            attributes=span.attributes,
            links=[Link(_context(link)) for link in span.links],
            kind=SpanKind[span.kind.upper()],
            status=Status(StatusCode.UNSET) if span.failure is None else Status(StatusCode.ERROR, span.failure),
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=scope,
        )


def _context(trace: Trace) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState

    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(
        int(trace.trace, 16), int(trace.span, 16), is_remote=False, trace_flags=TraceFlags(1), trace_state=state
    )
