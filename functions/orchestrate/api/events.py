"""Events that users publish to a namespace."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from lowtide.errors import InvalidEvent
from lowtide.wire.cloudevents import BATCH, STRUCTURED, read_all

from ..incoming import accept
from . import shapes
from .documents import reply
from .here import Here
from .pages import NamespacePath, named

__all__ = ["routes"]

_EXAMPLE = {
    "specversion": "1.0",
    "id": "payment-17",
    "source": "/bank",
    "type": "com.example.payment.received",
    "datacontenttype": "application/json",
    "data": {"order": "A-17", "amount": 42},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": {"type": "object"}, "example": _EXAMPLE},
            BATCH: {"schema": {"type": "array"}, "example": [_EXAMPLE]},
            "*/*": {"schema": {}},
        },
    }
}


def routes() -> APIRouter:
    router = APIRouter(tags=["events"])

    @router.post(
        "/v1/namespaces/{namespace}/events",
        status_code=202,
        responses=shapes.problems(),
        openapi_extra=_BODY,
    )
    async def publish(service: Here, request: Request, namespace: NamespacePath) -> Response:
        """Publish a CloudEvent (binary, structured or batch); stored before the answer, if any workflow may want it."""
        named("namespace", namespace)
        events = read_all(request.headers.raw, await request.body())
        for event in events:
            if event.type.startswith("dev.lowtide."):
                raise InvalidEvent(f"type {event.type}: types that begin with dev.lowtide. are Lowtide's own")
        kept = await accept(service.desk, events, namespace)
        return reply({"received": len(events), "kept": kept}, 202)

    return router
