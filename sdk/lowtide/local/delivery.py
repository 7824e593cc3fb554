"""Deliver events to one subscriber: attempts, back-off, replies, dead letters (as Knative was seen to do).

Tried again: 404, 408, 409, 429, 5xx, connection errors, and a 2xx whose body is no CloudEvent. Everything else goes to
the dead letters at once. No timeout stops a handler: an attempt lasts as long as the subscriber works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientError, ClientSession

from lowtide.errors import InvalidEvent, LowtideError
from lowtide.runtime.clock import Clock
from lowtide.wire import cloudevents
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.triggers import TriggerSpec

from .dead_letters import dead_letter

__all__ = ["Delivery", "Failure", "Outbound"]

_RETRIED: Final = frozenset({404, 408, 409, 429})


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed; ``status`` is ``None`` where there was no answer."""

    status: int | None
    body: bytes
    again: bool


@dataclass
class Outbound:
    """Counters of one trigger; ``queued`` waits for a place among the bounded attempts, or for its back-off."""

    queued: int = 0
    in_flight: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    dead: int = 0


class Delivery:
    """One trigger's subscriber. ``reply`` takes an event that the subscriber answered with."""

    def __init__(
        self,
        trigger: TriggerSpec,
        url: str,
        dead_letter_url: str,
        session: ClientSession,
        clock: Clock,
        reply: Callable[[CloudEvent], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self.trigger = trigger
        self.counts = Outbound()
        self._url = url
        self._dead_letter_url = dead_letter_url
        self._session = session
        self._clock = clock
        self._reply = reply
        self._places = asyncio.Semaphore(concurrency)

    async def deliver(self, event: CloudEvent) -> bool:
        """Returns once the event was delivered or became a dead letter; ``False``: not even that was taken."""
        failure = await self._attempts(event, self._url, self._reply)
        if failure is None:
            self.counts.delivered += 1
            return True
        self.counts.dead += 1
        letter = dead_letter(event, self._url, failure.status, failure.body)
        return await self._attempts(letter, self._dead_letter_url, None) is None

    async def _attempts(
        self, event: CloudEvent, url: str, reply: Callable[[CloudEvent], Awaitable[None]] | None
    ) -> Failure | None:
        headers, body = cloudevents.to_binary(event)
        failure = None
        for attempt in range(self.trigger.retries + 1):
            self.counts.queued += 1
            try:
                if attempt:
                    await self._clock.sleep(self.trigger.backoff * 2 ** (attempt - 1))
                await self._places.acquire()
            finally:
                self.counts.queued -= 1
            self.counts.in_flight += 1
            try:
                failure = await self._attempt(url, headers, body, reply)
            finally:
                self.counts.in_flight -= 1
                self._places.release()
            if failure is None:
                return None
            self.counts.failed_attempts += 1
            if not failure.again:
                break
        return failure

    async def _attempt(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        reply: Callable[[CloudEvent], Awaitable[None]] | None,
    ) -> Failure | None:
        try:
            async with self._session.post(url, headers=headers, data=body, allow_redirects=False) as response:
                answer = await response.read()
                if not 200 <= response.status < 300:
                    again = response.status in _RETRIED or response.status >= 500
                    return Failure(response.status, answer, again)
                if reply is None or (not answer and "ce-specversion" not in response.headers):
                    return None
                return await _take_reply(cloudevents.read(response.headers, answer), reply)
        except InvalidEvent as error:
            return Failure(502, f"the answer has a body and is no CloudEvent: {error}".encode(), again=True)
        except (ClientError, OSError) as error:
            return Failure(None, str(error).encode(), again=True)


async def _take_reply(event: CloudEvent, reply: Callable[[CloudEvent], Awaitable[None]]) -> Failure | None:
    try:
        await reply(event)
    except LowtideError as error:
        return Failure(error.http_status, str(error).encode(), again=True)
    return None
