"""Spans of single calls, in the trace of their caller. What comes on a stream says itself to which trace it belongs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from lowtide.telemetry.tracing import Tracer
from lowtide.wire.traces import carried, read

__all__ = ["TracedCalls"]


class TracedCalls(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Probes and other calls without a trace are recorded nowhere: nobody would look for them."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        above = read(carried(dict(handler_call_details.invocation_metadata or ())))
        if handler is None or handler.unary_unary is None or above is None:
            return handler
        name = handler_call_details.method.rpartition("/")[2]

        async def traced(request: Any, context: Any) -> Any:
            with self._tracer.span(name, above, "server"):
                return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            traced, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )
