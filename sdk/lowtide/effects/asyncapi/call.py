"""The effect: a message published, or the next messages of a subscription.

The output of a publication is the message as it was given. A subscription is asked for batch by batch (see
``engine/tasks/subscription.py`` for what is asked, and ``session`` for what is kept between two batches):

    {take, acknowledged, cursor, for}  -> {messages, cursor, ended}
    {close: true, acknowledged}        -> null
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from lowtide.effects.asyncapi.document import parse
from lowtide.effects.asyncapi.link import Link, failed
from lowtide.effects.asyncapi.message import outgoing, shown
from lowtide.effects.asyncapi.protocols import speaker
from lowtide.effects.asyncapi.session import Session, Sessions
from lowtide.effects.asyncapi.target import Target, target_of
from lowtide.effects.auth import Authenticator, mask
from lowtide.effects.documents import Documents
from lowtide.effects.resource import Resources
from lowtide.effects.web import Web
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform

__all__ = ["AsyncApiCall"]

_BATCH: Final = "!batch"
_PATIENT: Final = 0.9
"""The part of a command's time in which messages are waited for; in the rest, what came is handed over."""


class AsyncApiCall:
    """``timeout``: seconds of one command, unless it sets another; ``connect_timeout`` of one connection."""

    def __init__(
        self, web: Web, authenticator: Authenticator, resources: Resources, *, timeout: float, connect_timeout: float
    ) -> None:
        self._web = web
        self._authenticator = authenticator
        self._documents = Documents(resources, parse, "the AsyncAPI document")
        self._timeout = timeout
        self._connect = connect_timeout
        self._sessions = Sessions()

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Raises ``TaskFailed``: ``configuration`` where document and arguments do not fit or a protocol is missing,
        else what became of the connection."""
        arguments = command.arguments
        subscription = arguments.get("subscription")
        seconds = self._timeout if command.timeout is None else min(command.timeout / 1000, self._timeout)
        if subscription is None:
            return await self._publish(arguments, idempotency_key, command)
        key, _, number = idempotency_key.rpartition(_BATCH)
        if subscription.get("close"):
            return await self._close(key, subscription)
        return await self._receive(key, number, arguments, seconds)

    async def close(self) -> None:
        await self._sessions.close()

    # ------------------------------------------------------------ publishing

    async def _publish(self, arguments: dict[str, JSON], idempotency_key: str, command: Perform) -> JSON:
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        target = target_of(await self._documents.fetch(arguments.get("document")), arguments)
        spoken, link = speaker(target), self._link(target, arguments, seconds)
        message = outgoing(arguments.get("message"), target, idempotency_key)
        try:
            async with asyncio.timeout(seconds):
                await spoken.publish(link, message)
        except TimeoutError as error:
            raise failed(target, f"the message was not taken within {seconds:g} s", "timeout") from error
        except TaskFailed as failure:
            raise _masked(failure, link) from failure.__cause__
        given = arguments["message"]
        return {"payload": given.get("payload"), "headers": given.get("headers") or {}}

    # ------------------------------------------------------------ subscribing

    async def _receive(self, key: str, number: str, arguments: dict[str, JSON], seconds: float) -> JSON:
        wanted = arguments["subscription"]
        patience = seconds * _PATIENT
        if wanted.get("for") is not None:
            patience = min(patience, wanted["for"] / 1000)
        target = target_of(await self._documents.fetch(arguments.get("document")), arguments)
        link = self._link(target, arguments, seconds)
        session = self._sessions.get(key)
        try:
            if session is None:
                opening = speaker(target).subscribe(link, wanted.get("cursor") or {})
                session = self._sessions.keep(key, Session(opening, wanted.get("cursor") or {}, link.limit))
            messages, cursor, ended = await session.take(
                number, wanted["take"], patience, acknowledged=wanted["acknowledged"]
            )
        except BaseException as broken:  # cancelled too: nobody will ask again
            await self._sessions.discard(key)
            if isinstance(broken, TaskFailed):
                raise _masked(broken, link) from broken.__cause__
            raise
        if ended:
            await self._sessions.discard(key)
        self._sessions.rest(key)
        return {"messages": [shown(one, target) for one in messages], "cursor": cursor, "ended": ended}

    async def _close(self, key: str, subscription: dict[str, JSON]) -> None:
        session = self._sessions.get(key)
        try:
            if session is not None:
                await session.acknowledge(subscription["acknowledged"])
        finally:
            await self._sessions.discard(key)

    def _link(self, target: Target, arguments: dict[str, JSON], seconds: float) -> Link:
        return Link(
            target,
            arguments.get("authentication"),
            web=self._web,
            authenticator=self._authenticator,
            seconds=seconds,
            connect=self._connect,
        )


def _masked(failure: TaskFailed, link: Link) -> TaskFailed:
    secrets = link.credentials.secrets if link.credentials is not None else ()
    return TaskFailed(msgspec.structs.replace(failure.error, detail=mask(failure.error.detail or "", secrets)))
