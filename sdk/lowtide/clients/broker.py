"""Posts CloudEvents to a Broker's ingress.

A Broker may be synchronous: its answer then comes only when every subscriber has ended. So the timeout is long by
default, and nobody should wait for a publication inside a request that somebody else waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lowtide.errors import InvalidEvent, TooLarge, Unavailable
from lowtide.model.base import JSON
from lowtide.wire.cloudevents import CloudEvent, from_json, to_batch, to_binary, to_structured
from lowtide.wire.types import is_lifecycle

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Broker"]

_NO_GUESS: Final = ("content-type",)
"""aiohttp would name a type for a body that is not there, and so change the event."""

_LONGEST: Final = 900.0
"""Seconds: beyond this, an in-memory Broker has given up as well."""


class Broker:
    """A publisher (:class:`lowtide.runtime.ports.Publisher`) over HTTP, in binary mode; lifecycle events go in
    structured mode, as the standard recommends.

    aiohttp is imported and its session opened with the first event. ``timeout`` is seconds for a whole publication.
    """

    def __init__(self, url: str, *, timeout: float = _LONGEST, connections: int = 100) -> None:
        self.url = url
        self._timeout = timeout
        self._connections = connections
        self._session: ClientSession | None = None
        self._takes_batches = True

    async def publish(self, event: dict[str, JSON]) -> None:
        """Publish an event in JSON form; see :meth:`send`."""
        await self.send(from_json(event))

    async def send(self, event: CloudEvent) -> None:
        """Return once the Broker has taken the event.

        Raises :class:`lowtide.errors.InvalidEvent` or :class:`lowtide.errors.TooLarge` where the Broker will never
        take it, :class:`lowtide.errors.Unavailable` in every other case: the event may or may not have arrived.
        """
        headers, body = to_structured(event) if is_lifecycle(event.type) else to_binary(event)
        status, detail = await self._post(headers, body)
        if status < 300:
            return
        if status == 413:
            raise TooLarge(f"the broker refuses event {event.id} of {len(body)} bytes as too large")
        if status == 400:
            raise InvalidEvent(f"the broker refuses event {event.id}: {detail}")
        raise Unavailable(f"the broker at {self.url} answered {status} to event {event.id}: {detail}")

    async def send_all(self, events: Sequence[CloudEvent]) -> None:
        """Return once the Broker has taken all the events; as one batch where it takes batches, which Knative's does
        not (CloudEvents 1.0.2 leaves it to the receiver).

        Raises as :meth:`send`; some may then have been taken.
        """
        if len(events) > 1 and self._takes_batches:
            status, _ = await self._post(*to_batch(events))
            if status < 300:
                return
        for event in events:
            await self.send(event)
        if len(events) > 1:
            self._takes_batches = False  # it refused together what it took one by one

    async def _post(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """The answer's status, and how its body begins."""
        from aiohttp import ClientError

        try:
            async with self._open().post(self.url, data=body, headers=headers, skip_auto_headers=_NO_GUESS) as response:
                detail = (await response.content.read(500)).decode(errors="replace")
                return response.status, detail
        except TimeoutError as error:
            raise Unavailable(f"the broker at {self.url} did not answer within {self._timeout:g} s") from error
        except (ClientError, OSError) as error:
            raise Unavailable(f"the broker at {self.url} cannot be reached: {error}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> ClientSession:
        if self._session is None or self._session.closed:
            from aiohttp import ClientSession, ClientTimeout, TCPConnector

            self._session = ClientSession(
                timeout=ClientTimeout(total=self._timeout, sock_connect=5.0),
                connector=TCPConnector(limit=self._connections),
            )
        return self._session

    async def __aenter__(self) -> Broker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.close())
