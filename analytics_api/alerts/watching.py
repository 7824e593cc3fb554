"""How often orchestrate is to ask: kept beside the rules that it follows from, and told when they change.

Why: docs/decisions/0031-analytics-is-asked-while-there-are-rules.md.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from lowtide.errors import LowtideError, Unavailable
from lowtide.model.base import Millis
from lowtide.storage.database import Connection
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import ALERT_WATCH, Watch

from .desk import Desk

__all__ = ["announce", "event_of", "watched"]

log = logging.getLogger("lowtide.analytics")

_LONGEST: Final = 10.0
"""Seconds: somebody waits for the answer."""

_SOURCE: Final = "/lowtide/analytics"
_WHILE_WAITING: Final = 60_000
"""Milliseconds. As often as that it is asked while something is still to be told."""

_WANTED: Final = """
SELECT revision, every,
       least((SELECT min(every) FROM alert_rules),
             CASE WHEN EXISTS (SELECT FROM alert_deliveries WHERE state = 'waiting') THEN %s END),
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  FROM alert_watch FOR UPDATE
"""


async def watched(connection: Connection) -> Watch:
    """What is wanted now. Its revision goes on with the clock, so that it is higher also in a store that was made anew
    while orchestrate remembers the one before."""
    row = await (await connection.execute(_WANTED, [_WHILE_WAITING])).fetchone()
    assert row is not None, "the migration makes the row"
    revision, every, wanted, now = row
    if every != wanted or not revision:
        revision = max(revision + 1, now)
        await connection.execute("UPDATE alert_watch SET revision = %s, every = %s", [revision, wanted])
    return Watch(revision=revision, every=None if wanted is None else Millis(wanted))


def event_of(watch: Watch) -> CloudEvent:
    attributes: dict[str, str | int | bool] = {"specversion": "1.0", "source": _SOURCE, "type": ALERT_WATCH}
    return CloudEvent(
        attributes | {"id": str(watch.revision), "datacontenttype": "application/json"}, json.encode(watch)
    )


async def announce(desk: Desk, watch: Watch) -> None:
    """Tell orchestrate. Raises :class:`lowtide.errors.Unavailable`."""
    if desk.broker is None:
        log.warning(
            "LOWTIDE_BROKER_URL is not set: alert rules are looked at only when somebody posts to /alerts/ticks"
        )
        return
    try:
        async with asyncio.timeout(_LONGEST):
            await desk.broker.send(event_of(watch))
    except (TimeoutError, LowtideError) as error:
        raise Unavailable(
            f"the change is stored, but orchestrate could not be told, and may go on without it for an hour: "
            f"{str(error) or 'it took too long'}; send it again"
        ) from error
