"""A collector of traces: OTLP's TraceService over gRPC, as OpenTelemetry defines it, in the test's own process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

__all__ = ["Collector", "Received", "collector"]


class Received:
    """One span as it came; ids in hex, ``links`` as the spans that they name."""

    def __init__(self, part: str, span: Any) -> None:
        self.part = part
        self.name: str = span.name
        self.trace: str = span.trace_id.hex()
        self.id: str = span.span_id.hex()
        self.parent: str = span.parent_span_id.hex()
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.began, self.ended = span.start_time_unix_nano, span.end_time_unix_nano
        self.failed = span.status.code == 2
        self.attributes = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}

    def __repr__(self) -> str:
        return f"<{self.part}: {self.name} {self.id} in {self.parent or 'nothing'}>"


class Collector(service.TraceServiceServicer):
    def __init__(self, stop: Callable[[], object]) -> None:
        self.endpoint = ""
        self.stop = stop
        self._spans: list[Received] = []
        self._lock = threading.Lock()

    def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> pb.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            part = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
            came = [Received(part, span) for scope in resource.scope_spans for span in scope.spans]
            with self._lock:
                self._spans += came
        return pb.ExportTraceServiceResponse()

    def spans(self, trace: str) -> list[Received]:
        with self._lock:
            return [span for span in self._spans if span.trace == trace]


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        made = Collector(lambda: server.stop(None).wait())
        service.add_TraceServiceServicer_to_server(made, server)  # type: ignore[no-untyped-call]  # generated
        made.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield made
        finally:
            made.stop()
