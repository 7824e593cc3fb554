"""What orchestrate tells of itself: what this process did, and how much of everything the store holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from lowtide.errors import LowtideError
from lowtide.model.phase import PHASES
from lowtide.telemetry.measures import Labels, Measure, Reading

from .store.census import Census, census
from .store.outbox import KINDS

if TYPE_CHECKING:
    from .service import Service

__all__ = ["Watch"]

log = logging.getLogger("lowtide.orchestrate")

_FRESH: Final = 10.0
"""Seconds for which a census is believed: readers that come often cost the store nothing."""


class Watch:
    """The measures of one service; the store is asked when somebody reads them, and not more often than is useful."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._census = Census()
        self._counted = float("-inf")
        self._up = 0.0

    async def measures(self) -> Sequence[Measure]:
        now = asyncio.get_running_loop().time()
        if now - self._counted > _FRESH:
            self._counted = now
            try:
                self._census = await self._service.desk.database.run(census)
                self._up = 1.0
            except LowtideError as error:
                self._census, self._up = Census(), 0.0
                log.warning("the store could not be counted: %s", error)
        stored = self._stored() if self._up else ()
        return [*self._done(), *stored]

    def _done(self) -> Sequence[Measure]:
        service, database = self._service, self._service.desk.database
        tally, channels = service.tally, service.channels
        return [
            tally.starts,
            tally.ends,
            tally.ticks,
            tally.cold_starts,
            Reading(
                "lowtide_outbox_sent_total",
                "Rows of the outbox that were taken, by kind",
                lambda: [((kind,), float(channel.sent)) for kind, channel in channels.items()],
                ("kind",),
                "counter",
            ),
            Reading(
                "lowtide_outbox_put_off_total",
                "Rows of the outbox that were not taken and come again, by kind",
                lambda: [((kind,), float(channel.put_off)) for kind, channel in channels.items()],
                ("kind",),
                "counter",
            ),
            Reading("lowtide_store_up", "Whether the store could be asked", lambda: [(("control",), self._up)], _STORE),
            Reading("lowtide_pool_connections_in_use", "Connections in use", database.in_use, _POOL),
            Reading("lowtide_pool_connections_limit", "Connections there may be", database.limits, _POOL),
        ]

    def _stored(self) -> Sequence[Measure]:
        found = self._census
        kinds, phases = KINDS, [phase for phase in PHASES if phase not in ("completed", "faulted", "cancelled")]
        single = partial(_single, found)
        return [
            _by("lowtide_outbox_rows", "Rows that wait in the outbox, by kind", "kind", kinds, found.outbox),
            _by(
                "lowtide_outbox_overdue_seconds",
                "Since when the oldest row of the outbox could have been sent, by kind",
                "kind",
                kinds,
                found.overdue,
            ),
            _by("lowtide_executions_open", "Executions that have not ended, by phase", "phase", phases, found.open),
            single("lowtide_inbox_rows", "Wakes that no snapshot contains yet", "inbox"),
            single("lowtide_timers", "Timers that have not fired", "timers"),
            single("lowtide_timers_late", "Timers that were due more than five seconds ago", "late"),
            single("lowtide_timers_late_seconds", "How late the oldest timer is that has not fired", "lateness"),
            single("lowtide_dispatches_outstanding", "Dispatches with the Broker or running", "outstanding"),
            single("lowtide_dispatches_queued", "Dispatches that wait for a slot of their workflow", "queued"),
            single("lowtide_events_unmatched", "Kept events that no listener was looked up for yet", "unmatched"),
            single("lowtide_dead_letters", "Dead letters that nobody has settled", "letters"),
        ]


_STORE: Final = ("store",)
_POOL: Final = ("store", "pool")


def _single(found: Census, name: str, about: str, field: str) -> Reading:
    return Reading(name, about, lambda: float(getattr(found, field)))


def _by(name: str, about: str, label: str, known: Sequence[str], found: Mapping[str, float]) -> Reading:
    """Those that there are none of are told as 0: an alert on what is absent is a different one."""
    values: list[tuple[Labels, float]] = [((one,), found.get(one, 0.0)) for one in known]
    return Reading(name, about, lambda: values, (label,))
