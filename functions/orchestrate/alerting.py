"""Asks analytics to look at alert rules, and hears how often it wants to be asked.

Orchestrate is there at every tick anyway; the analytics API comes up only while there is something to look at
(docs/decisions/0031-analytics-is-asked-while-there-are-rules.md).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from lowtide.errors import InvalidEvent, LowtideError
from lowtide.runtime.chance import new_owner
from lowtide.runtime.clock import Clock
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import ALERT_TICK, Watch

from .ports import Broker
from .store import alerts
from .work import Desk

__all__ = ["ask_for_alerts", "hear_watch"]

log = logging.getLogger("lowtide.orchestrate")

_SOURCE: Final = "/lowtide/orchestrate"
_LONGEST: Final = 60.0


async def ask_for_alerts(desk: Desk, broker: Broker, clock: Clock) -> None:
    """Ask, where it is time. A question that is lost is asked again by a later tick."""
    known = await desk.database.run(alerts.claim)
    if known is None:
        return
    attributes: dict[str, str | int | bool] = {"specversion": "1.0", "source": _SOURCE, "type": ALERT_TICK}
    attributes |= {"id": f"{clock.now()}-{new_owner()}", "datacontenttype": "application/json"}
    try:
        async with asyncio.timeout(_LONGEST):
            await broker.send(CloudEvent(attributes, json.encode(known)))
    except TimeoutError:
        return  # a synchronous Broker answers when the rules were looked at: it was taken
    except LowtideError as error:
        log.warning("analytics could not be asked for alerts, again with the next tick: %s", error)
        await desk.database.run(alerts.give_back)


async def hear_watch(desk: Desk, event: CloudEvent) -> None:
    """Raises :class:`lowtide.errors.InvalidEvent`, :class:`lowtide.errors.Unavailable`."""
    try:
        watch = msgspec.json.decode(event.data or b"", type=Watch)
    except msgspec.MsgspecError as error:
        raise InvalidEvent(f"event {event.id}: its data is not how often to ask for alerts: {error}") from error
    if not 0 <= watch.revision < 2**63 or not 0 <= (watch.every or 0) < 2**53:
        raise InvalidEvent(f"event {event.id}: its data is not how often to ask for alerts: out of range")
    await desk.database.run(lambda tx: alerts.heard(tx, watch))
