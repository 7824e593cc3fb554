"""Where orchestrate asks: what is due is looked at, what is to be told is told. Answered when that is done."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from lowtide.errors import InvalidEvent
from lowtide.wire.cloudevents import read, to_binary
from lowtide.wire.triggers import ALERT_TICK_PATH
from lowtide.wire.types import Watch

from ..problems import RESPONSES
from .delivering import deliver_due
from .desk import Desk
from .evaluating import look_at_due
from .keeping import forget_old
from .watching import event_of, watched

__all__ = ["routes"]

_SECONDS: Final = 20.0
"""For the looks, and for the deliveries: together less than a request may take, whatever is left comes next time."""


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["functions"], responses=RESPONSES)

    @router.post(
        ALERT_TICK_PATH,
        summary="Look at the alert rules that are due",
        status_code=202,
        response_class=Response,
        responses={
            200: {"description": "How often to ask from now on, a CloudEvent", "content": {"application/json": {}}}
        },
    )
    async def tick(request: Request) -> Response:
        """The tick of a Trigger; of anybody else, it does no harm. What it does, it does once, whoever asks at once."""
        known = _known(request, await request.body())
        try:
            await look_at_due(desk, _SECONDS)
        finally:  # what was decided before is told in any case
            await deliver_due(desk, _SECONDS)
        await desk.database.run(forget_old)
        watch = await desk.database.transaction(watched)
        if known is None or watch == known:
            return Response(status_code=202)
        headers, body = to_binary(event_of(watch))
        return Response(body, 200, headers)

    return router


def _known(request: Request, body: bytes) -> Watch | None:
    """What orchestrate knows; ``None`` where it is not orchestrate that asks."""
    try:
        return msgspec.json.decode(read(request.headers.raw, body).data or b"", type=Watch)
    except (InvalidEvent, msgspec.MsgspecError):
        return None
