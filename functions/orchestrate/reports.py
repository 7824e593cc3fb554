"""Events of execute's on their way in: authentic, answering a dispatch of ours, applied once."""

from __future__ import annotations

import logging

from lowtide.errors import InvalidEvent, Unauthentic
from lowtide.model.base import Millis
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.mac import digest_of, verify
from lowtide.wire.types import Extension

from .outcomes import Verdict, apply, decode
from .work import Desk

__all__ = ["take"]

log = logging.getLogger("lowtide.orchestrate")


async def take(desk: Desk, event: CloudEvent) -> Verdict:
    """Apply an outcome or a registration.

    An expired token of ours is still ours: the report is applied once, whenever it comes. Raises
    :class:`lowtide.errors.Unauthentic` where it was not written by this installation, and
    :class:`lowtide.errors.InvalidEvent` where it makes no sense.
    """
    execution, epoch, digest, token = (
        _required(event, name) for name in (Extension.execution, Extension.epoch, Extension.digest, Extension.token)
    )
    if not epoch.isdecimal():
        raise InvalidEvent(f"extension {Extension.epoch}: {epoch!r} is not a whole number")
    body = event.data or b""
    try:
        verify(desk.terms.key, token, "outcome", execution, int(epoch), digest_of(body), Millis(0))
    except Unauthentic:
        log.warning("a forged %s of execution %s, epoch %s, is refused", event.type, execution, epoch)
        raise
    report = decode(event.type, body)
    if (report.execution, report.epoch) != (execution, int(epoch)):
        raise InvalidEvent("the data is about another execution or epoch than the event's extensions say")
    verdict = await desk.do(lambda work: apply(work, report, digest))
    if verdict != "applied":
        log.info("%s of execution %s, epoch %s: %s", event.type, execution, epoch, verdict)
    return verdict


def _required(event: CloudEvent, name: str) -> str:
    value = event.text(name)
    if not value:
        raise InvalidEvent(f"extension {name}: missing; an event of type {event.type} needs it")
    return value
