"""What execute tells of itself. Imported where a port for it is set, and nothing of Prometheus's before the first
dispatch was answered: a cold start is what its caller waits for.

A process that goes to zero takes its numbers along, at most those of one scrape interval; what must not be lost is told
to orchestrate and to history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lowtide.telemetry.measures import Count, Measure, Reading, Spread

from .birth import since_birth

if TYPE_CHECKING:
    from .invocation import Answer, Invocations
    from .parts import Parts

__all__ = ["Measuring"]

_ENDS: Final = {204: "no_reply", 400: "refused", 403: "forged", 503: "put_off"}
_COUNTER: Final = "counter"


class Measuring:
    def __init__(self) -> None:
        self.ready = since_birth()
        self._ends = Count("lowtide_invocations_total", "Dispatches answered, by how they ended", ("end",))
        self._seconds = Spread("lowtide_invocation_seconds", "From a dispatch's arrival to its answer", ("end",))
        self._effects = Count("lowtide_effects_total", "Effects performed, by kind of call", ("call", "result"))
        self._effect_seconds = Spread("lowtide_effect_seconds", "How long effects took", ("call",))
        self._batches = Spread("lowtide_report_seconds", "From a batch's sending to its acknowledgement by ingest")
        self._answered = False

    def watch(self, parts: Parts) -> None:
        """Be told of what happens in the adapters."""
        parts.effects.watch = self._performed
        parts.ingest.reporter.acknowledged = self._batches.see

    def ended(self, answer: Answer, began: float) -> None:
        """A dispatch that came at this time of the event loop was answered."""
        end = _ENDS.get(answer.status, "other")
        if answer.event is not None:
            end = answer.event.type.split(".")[-2]
        self._answered = True
        self._ends.add(end)
        self._seconds.see(asyncio.get_running_loop().time() - began, end)

    def _performed(self, call: str, seconds: float, result: str) -> None:
        self._effects.add(call, result)
        self._effect_seconds.see(seconds, call)

    def measures(self, parts: Parts, invocations: Invocations) -> Sequence[Measure]:
        """Nothing before the first answer."""
        if not self._answered:
            return ()
        ingest, reporter = parts.ingest, parts.ingest.reporter
        return (
            self._ends,
            self._seconds,
            self._effects,
            self._effect_seconds,
            self._batches,
            Reading("lowtide_invocations_running", "Invocations under way", lambda: invocations.running),
            Reading("lowtide_cold_start_seconds", "From this process's birth until it was ready", lambda: self.ready),
            Reading(
                "lowtide_dropped_records_total",
                "Reports that were dropped before they reached anybody: buffers are bounded",
                lambda: [((kind,), float(count)) for kind, count in _dropped(parts, invocations).items()],
                ("kind",),
                _COUNTER,
            ),
            Reading("lowtide_reports_buffered", "Reports that wait for ingest", lambda: ingest.buffered),
            Reading(
                "lowtide_breaker_state",
                "Whether ingest is asked for leases: 0 closed, 1 half open, 2 open",
                lambda: ("closed", "half open", "open").index(ingest.breaker.state),
            ),
            Reading("lowtide_leases_held", "Leases that this process believes in", lambda: ingest.held),
            Reading("lowtide_report_streams_total", "Streams begun", lambda: reporter.streams, kind=_COUNTER),
            Reading("lowtide_report_streams_broken_total", "Streams broken", lambda: reporter.broken, kind=_COUNTER),
        )


def _dropped(parts: Parts, invocations: Invocations) -> dict[str, int]:
    told = dict.fromkeys(("facts", "logs", "usages"), 0)
    return {**told, **parts.ingest.dropped, "lifecycle": invocations.untold}
