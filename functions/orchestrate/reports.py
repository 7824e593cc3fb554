"""Events of execute's on their way in: authentic, answering a dispatch of ours, applied once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lowtide.errors import InvalidEvent, Unauthentic
from lowtide.model.base import Millis
from lowtide.runtime.grouping import Grouped
from lowtide.telemetry.tracing import Tracer, spanning
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.mac import digest_of, verify
from lowtide.wire.traces import carried, trace_of_execution
from lowtide.wire.types import Ended, Extension

from .ending import Reported, end_plain
from .nouns import Execution
from .outcomes import Report, Verdict, apply
from .received import report_of
from .work import Desk

__all__ = ["Reports"]

log = logging.getLogger("lowtide.orchestrate")


class Reports:
    """Where reports come in. Outcomes that come at the same time are applied in one transaction."""

    def __init__(
        self, desk: Desk, tracer: Tracer | None = None, applied: Callable[[Report], None] = lambda _: None
    ) -> None:
        self._applied = applied
        self._tracer = tracer
        self._desk = desk
        self._ends: Grouped[Reported, bool] = Grouped(lambda reported: end_plain(desk, reported))

    async def take(self, event: CloudEvent, begun: Execution | None = None) -> Verdict:
        """Apply an outcome or a registration. ``begun``: as in :class:`.ending.Reported`.

        An expired token of ours is still ours: the report is applied once, whenever it comes. Raises
        :class:`lowtide.errors.Unauthentic` where it was not written by this installation, and
        :class:`lowtide.errors.InvalidEvent` where it makes no sense; PayloadLost and Unavailable where it is large.
        """
        execution, epoch, digest = _authentic(self._desk.terms.key, event)
        above = None if self._tracer is None else trace_of_execution(execution, carried(event.attributes))
        name = event.type.split(".")[-2]
        with spanning(self._tracer, name, above, "consumer", execution=execution, epoch=epoch):
            return await self._take(event, execution, epoch, digest, begun)

    async def _take(
        self, event: CloudEvent, execution: str, epoch: int, digest: str, begun: Execution | None
    ) -> Verdict:
        report = await report_of(self._desk, execution, event.type, event.data or b"")
        if report is None:
            log.info(
                "%s of execution %s, epoch %s: unknown", event.type, execution, epoch, extra={"execution": execution}
            )
            return "unknown"
        if (report.execution, report.epoch) != (execution, epoch):
            raise InvalidEvent("the data is about another execution or epoch than the event's extensions say")
        if isinstance(report, Ended) and await self._ends.ask(Reported(report, digest, begun)):
            self._applied(report)
            return "applied"
        verdict = await self._desk.do(lambda work: apply(work, report, digest))
        if verdict == "applied":
            self._applied(report)
        else:
            log.info(
                "%s of execution %s, epoch %s: %s",
                event.type,
                report.execution,
                report.epoch,
                verdict,
                extra={"execution": report.execution},
            )
        return verdict


def _authentic(key: bytes, event: CloudEvent) -> tuple[str, int, str]:
    """Which execution and epoch an event of execute's is about, and the digest of the dispatch that it answers."""
    execution, epoch, digest, token = (
        _required(event, name) for name in (Extension.execution, Extension.epoch, Extension.digest, Extension.token)
    )
    if not epoch.isdecimal():
        raise InvalidEvent(f"extension {Extension.epoch}: {epoch!r} is not a whole number")
    try:
        verify(key, token, "outcome", execution, int(epoch), digest_of(event.data or b""), Millis(0))
    except Unauthentic:
        log.warning(
            "a forged %s of execution %s, epoch %s, is refused",
            event.type,
            execution,
            epoch,
            extra={"execution": execution},
        )
        raise
    return execution, int(epoch), digest


def _required(event: CloudEvent, name: str) -> str:
    value = event.text(name)
    if not value:
        raise InvalidEvent(f"extension {name}: missing; an event of type {event.type} needs it")
    return value
