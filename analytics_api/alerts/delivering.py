"""Delivers what was decided to be told: claims rows in a committed update, sends them without a transaction, notes the
result. At least once, always with the same id; what fails is tried again by later ticks, with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from lowtide.errors import Gone, InvalidInput, LowtideError, TooLarge, Unavailable
from lowtide.storage.database import Connection
from lowtide.wire.cloudevents import from_json

from .desk import Desk
from .telling import BROKER
from .webhooks import post

__all__ = ["deliver_due"]

log = logging.getLogger("lowtide.analytics")

_AT_ONCE: Final = 20
_LEASE: Final = 90.0
"""Seconds after which a claim is nobody's any more: twice as long as the longest attempt."""

_LONGEST: Final = 30.0
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 900.0

# What an alert told somebody first, that one hears first: its end waits for its beginning.
_CLAIM: Final = """
UPDATE alert_deliveries
   SET attempts = attempts + 1, next_at = clock_timestamp() + %(lease)s * interval '1 second'
 WHERE id IN (
   SELECT id FROM alert_deliveries AS mine
    WHERE state = 'waiting' AND next_at <= clock_timestamp() AND NOT EXISTS (
      SELECT FROM alert_deliveries AS before
       WHERE before.alert = mine.alert AND before.url = mine.url AND before.id < mine.id AND before.state = 'waiting')
    ORDER BY next_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id, url, secret, event, attempts, give_up_at <= clock_timestamp(), give_up_at
"""

_SETTLE: Final = """
UPDATE alert_deliveries
   SET state = %(state)s, problem = %(problem)s,
       next_at = clock_timestamp() + %(pause)s * interval '1 second',
       ended_at = CASE WHEN %(state)s <> 'waiting' THEN clock_timestamp() END
 WHERE id = %(id)s AND state = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class _Delivery:
    id: int
    url: str
    secret: str
    event: dict[str, Any]
    attempts: int
    last: bool
    give_up_at: datetime


async def deliver_due(desk: Desk, seconds: float) -> int:
    """How many were tried; what is not done within ``seconds`` is left for the next tick.

    Raises :class:`lowtide.errors.Unavailable`.
    """
    ends = desk.clock.monotonic() + seconds
    done = 0
    while desk.clock.monotonic() < ends and (found := await desk.database.transaction(_claim)):
        await asyncio.gather(*(_in_order(desk, found, url) for url in {one.url for one in found}))
        done += len(found)
    return done


async def _in_order(desk: Desk, found: Sequence[_Delivery], url: str) -> None:
    """One after the other, as it was decided; what a slow receiver leaves no time for comes again after the lease."""
    ends = desk.clock.monotonic() + _LEASE / 2
    for one in sorted((one for one in found if one.url == url), key=lambda one: one.id):
        if desk.clock.monotonic() < ends:
            await _carry(desk, one)


async def _claim(connection: Connection) -> Sequence[_Delivery]:
    rows = await (await connection.execute(_CLAIM, {"lease": _LEASE, "limit": _AT_ONCE})).fetchall()
    return [_Delivery(*row) for row in rows]


async def _carry(desk: Desk, one: _Delivery) -> None:
    where = one.url or "the Broker"
    try:
        await _send(desk, one)
    except (Gone, InvalidInput, TooLarge) as failure:
        log.error("%s is not told of %s: %s", where, one.event["id"], failure)
        await _settle(desk, one, "failed", str(failure))
    except LowtideError as failure:
        if one.last:
            log.error("%s could not be told of %s, %d times: %s", where, one.event["id"], one.attempts, failure)
            told = f"given up after {one.attempts} attempts, until {one.give_up_at.isoformat(timespec='seconds')}"
            await _settle(desk, one, "failed", f"{told}: {failure}")
        else:
            log.warning("%s could not be told of %s yet: %s", where, one.event["id"], failure)
            await _settle(desk, one, "waiting", str(failure))
    else:
        await _settle(desk, one, "delivered", None)


async def _send(desk: Desk, one: _Delivery) -> None:
    """Raises as :meth:`lowtide.clients.broker.Broker.send` and :func:`.webhooks.post`."""
    if one.url != BROKER:
        return await post(desk.web, one.url, one.secret, one.event, desk.clock.now() // 1000)
    if desk.broker is None:
        raise Unavailable("there is no Broker here: LOWTIDE_BROKER_URL is not set")
    try:
        async with asyncio.timeout(_LONGEST):
            return await desk.broker.send(from_json(one.event))
    except TimeoutError as error:
        raise Unavailable(f"the Broker did not answer within {_LONGEST:g} s") from error


async def _settle(
    desk: Desk, one: _Delivery, state: Literal["waiting", "delivered", "failed"], problem: str | None
) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(one.attempts - 1, 10), _LONGEST_PAUSE)
    values = {"id": one.id, "state": state, "problem": None if problem is None else problem[:500], "pause": pause}
    desk.deliveries.add("put_off" if state == "waiting" else state)
    await desk.database.run(lambda connection: connection.execute(_SETTLE, values))
