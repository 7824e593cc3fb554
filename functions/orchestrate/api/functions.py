"""What the Broker posts: outcomes, registrations, ticks, the world's events; and dead letters.

Answers have no body: a Broker would take one for an event.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from lowtide.errors import InvalidEvent, TooLarge
from lowtide.telemetry.tracing import spanning
from lowtide.wire.cloudevents import CloudEvent, read, read_all
from lowtide.wire.traces import carried
from lowtide.wire.traces import read as read_trace
from lowtide.wire.triggers import DEAD_LETTER_PATH, TICK_PATH
from lowtide.wire.types import (
    ALERT_FIRED,
    ALERT_RESOLVED,
    ALERT_TICK,
    ALERT_WATCH,
    DISPATCH,
    OUTCOMES,
    REGISTERED,
    TICK,
)

from ..alerting import hear_watch
from ..deadletters import take_dead_letter
from ..incoming import accept
from ..service import Service
from . import shapes
from .here import Here, service_of

__all__ = ["EVENTS_PATH", "routes"]

EVENTS_PATH: Final = "/events"

_TICK_MARGIN: Final = 15.0
_OUR_OWN: Final = (*OUTCOMES, REGISTERED, TICK, DISPATCH, ALERT_FIRED, ALERT_RESOLVED)


def routes() -> APIRouter:
    router = APIRouter(tags=["functions"])

    @router.post(EVENTS_PATH, status_code=202, response_class=Response, responses=shapes.problems(403))
    async def events(request: Request) -> Response:
        """CloudEvents from Triggers. A tick is answered when no timer is held any more."""
        service = service_of(request)
        for event in read_all(request.headers.raw, await request.body()):
            await _handle(service, event)
        return Response(status_code=202)

    @router.post(DEAD_LETTER_PATH, status_code=202, response_class=Response, responses=shapes.problems(403))
    async def dead_letters(service: Here, request: Request) -> Response:
        """Events that could not be delivered: the journal is asked what became of them."""
        event = read(request.headers.raw, await request.body())
        await take_dead_letter(service.desk, service.ingest, service.reports, event)
        return Response(status_code=202)

    @router.post(TICK_PATH, status_code=202, response_class=Response, responses=shapes.problems())
    async def ticks(service: Here) -> Response:
        """The tick of a PingSource, whatever it carries; answered when no timer is held any more."""
        await _tick(service)
        return Response(status_code=202)

    return router


async def _tick(service: Service) -> None:
    service.tally.ticks.add()
    await service.tick.handle(service.desk.terms.tick_horizon + _TICK_MARGIN)


async def _handle(service: Service, event: CloudEvent) -> None:
    if event.type in (*OUTCOMES, REGISTERED):
        await service.reports.take(event)
    elif event.type == TICK:
        await _tick(service)
    elif event.type == ALERT_WATCH:
        await hear_watch(service.desk, event)
    elif event.type in (DISPATCH, ALERT_TICK):
        return  # a Trigger without a filter: they are for execute and for analytics
    elif event.type.startswith("dev.lowtide.") and event.type not in _OUR_OWN:
        raise InvalidEvent(f"type {event.type}: not one of Lowtide's; types that begin with dev.lowtide. are its own")
    else:
        if len(event.data or b"") > service.max_body_bytes:
            raise TooLarge(f"the event's data has more than {service.max_body_bytes} bytes")
        with spanning(service.tracer, f"receive {event.type}", read_trace(carried(event.attributes)), "consumer"):
            await accept(service.desk, [event], None)
