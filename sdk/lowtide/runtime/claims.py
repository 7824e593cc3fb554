"""The claim check at the borders of a process: what is too large goes into the payload store, and comes back whole.

References stand in our own channels alone: dispatches and outcomes (which carry a MAC), the journal, the control store,
signals. Each is followed within the execution that the message is about and nowhere else.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec

from lowtide.errors import TooLarge
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.event import Event
from lowtide.runtime.ports import Closing, Payloads
from lowtide.wire import json
from lowtide.wire.claims import Payload, reference, referred
from lowtide.wire.records import Claimed, Entry
from lowtide.wire.types import Ended, Parked, Snapshot, Wake, type_of

__all__ = ["Claims"]

_AT_ONCE: Final = 4
"""Payloads that one process puts or gets at the same time: each is in memory as a whole."""

R = TypeVar("R", Parked, Ended)

_EVENT: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


class Claims:
    """``above``: bytes from which on something travels as a reference; ``largest``: bytes that it may have at all.

    What puts raises :class:`lowtide.errors.TooLarge` and :class:`lowtide.errors.Unavailable`, what gets raises
    :class:`lowtide.errors.PayloadLost` and :class:`lowtide.errors.Unavailable`.
    """

    def __init__(self, payloads: Payloads, *, above: int, largest: int) -> None:
        self.above = above
        self.largest = largest
        self._payloads = payloads
        self._room = asyncio.Semaphore(_AT_ONCE)

    # ------------------------------------------------------------ any body

    async def put(self, namespace: str, execution: ExecutionId, content: bytes, what: str) -> Payload:
        """Store ``content``; ``what`` names it where it is too large."""
        if len(content) > self.largest:
            raise TooLarge(
                f"{what} has {len(content)} bytes, at most {self.largest} can be kept; keep less in the data of the "
                "workflow (`output.as`, `export.as`), or raise LOWTIDE_MAX_PAYLOAD_BYTES"
            )
        async with self._room:
            return await self._payloads.put(namespace, execution, content)

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        async with self._room:
            return await self._payloads.get(namespace, execution, payload)

    async def check_in(self, namespace: str, execution: ExecutionId, body: bytes, what: str) -> bytes:
        """``body``, or the reference that travels in its place."""
        if len(body) <= self.above:
            return body
        return reference(await self.put(namespace, execution, body, what))

    async def check_out(self, namespace: str, execution: ExecutionId, body: bytes) -> bytes:
        """What :meth:`check_in` was given."""
        payload = referred(body)
        return body if payload is None else await self.get(namespace, execution, payload)

    async def drop(self, namespace: str, execution: ExecutionId, digests: list[str] | None = None) -> None:
        """Forget what nothing refers to any more: payloads by their SHA-256, or all that the execution has."""
        await self._payloads.drop(namespace, execution, digests)

    # ------------------------------------------------------------ how an invocation ends

    async def seal(self, namespace: str, report: Parked | Ended) -> Closing:
        """The end of an epoch as it is stored and sent: a large state or output apart, so that whoever handles the
        report need not carry it; and whatever else makes it large."""
        body = json.encode(report)
        if len(body) > self.above:
            body = json.encode(await self._lightened(namespace, report))
            body = await self.check_in(namespace, report.execution, body, "the report of how an invocation ended")
        return Closing(type_of(report), body)

    async def _lightened(self, namespace: str, report: Parked | Ended) -> Parked | Ended:
        if isinstance(report, Parked):
            body = bytes(report.snapshot.state)
            if len(body) <= self.above:
                return report
            payload = await self.put(namespace, report.execution, body, "the state of the execution")
            return msgspec.structs.replace(report, snapshot=Snapshot(payload=payload, upto=report.snapshot.upto))
        body = json.encode(report.output)
        if len(body) <= self.above:
            return report
        payload = await self.put(namespace, report.execution, body, "the output of the execution")
        return msgspec.structs.replace(report, output=None, payload=payload)

    async def output(self, namespace: str, ended: Ended) -> JSON:
        """The output of an execution that ended, whole."""
        if ended.payload is None:
            return ended.output
        return json.parse(await self.get(namespace, ended.execution, ended.payload))

    async def snapshot(self, namespace: str, execution: ExecutionId, snapshot: Snapshot) -> Snapshot:
        """The snapshot with its state, wherever that was kept."""
        if snapshot.payload is None:
            return snapshot
        body = await self.get(namespace, execution, snapshot.payload)
        return Snapshot(state=msgspec.Raw(body), upto=snapshot.upto)

    # ------------------------------------------------------------ events on their way to the engine

    async def entry(self, namespace: str, execution: ExecutionId, entry: Entry) -> Entry:
        """A journal entry whole."""
        if not isinstance(entry.event, Claimed):
            return entry
        event = _EVENT.decode(await self.get(namespace, execution, entry.event.payload))
        return msgspec.structs.replace(entry, event=event)

    async def claimed_entry(self, namespace: str, execution: ExecutionId, entry: Entry) -> Entry:
        """A journal entry as the journal keeps it."""
        payload = await self._put_event(namespace, execution, entry.event)
        return entry if payload is None else msgspec.structs.replace(entry, event=Claimed(payload=payload))

    async def wake(self, namespace: str, execution: ExecutionId, wake: Wake) -> Wake:
        """A signalled wake whole."""
        if wake.payload is None:
            return wake
        return Wake(key=wake.key, event=_EVENT.decode(await self.get(namespace, execution, wake.payload)))

    async def claimed_wake(self, namespace: str, execution: ExecutionId, wake: Wake) -> Wake:
        """A wake as it is signalled."""
        payload = await self._put_event(namespace, execution, wake.event)
        return wake if payload is None else Wake(key=wake.key, event=None, payload=payload)

    async def _put_event(self, namespace: str, execution: ExecutionId, event: Event | Claimed | None) -> Payload | None:
        body = json.encode(event)
        if len(body) <= self.above:
            return None
        return await self.put(namespace, execution, body, "what happened to the execution")
