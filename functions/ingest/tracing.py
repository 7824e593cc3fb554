"""Spans of single calls, in the trace of their caller. What comes on a stream says itself to which trace it belongs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from lowtide.telemetry.tracing import Tracer
from lowtide.wire.traces import carried, read

__all__ = ["TracedCalls"]


class TracedCalls(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Probes and other calls without a trace are recorded nowhere: nobody would look for them. Nor are calls that
    stream in both directions: one of them is of many traces."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        above = read(carried(dict(handler_call_details.invocation_metadata or ())))
        if handler is None or above is None:
            return handler
        name = handler_call_details.method.rpartition("/")[2]

        def answering(answer: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
            async def traced(request: Any, context: Any) -> Any:
                with self._tracer.span(name, above, "server"):
                    return await answer(request, context)

            return traced

        async def streamed(request: Any, context: Any) -> None:
            # Written rather than yielded: a generator may be closed elsewhere, where its span is not the current one.
            with self._tracer.span(name, above, "server"):
                async with aclosing(handler.unary_stream(request, context)) as messages:
                    async for message in messages:
                        await context.write(message)

        codecs = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(answering(handler.unary_unary), *codecs)
        if handler.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(answering(handler.stream_unary), *codecs)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(streamed, *codecs)
        return handler
