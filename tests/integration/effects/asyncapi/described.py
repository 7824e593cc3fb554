"""AsyncAPI documents of the tests, and workflows that publish and subscribe by them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from lowtide.model.state import Completed, Faulted, Outcome
from tests.effecting import perform

__all__ = ["Described", "exchanged", "failure", "output"]


class Described:
    """A document of version 3 with one server, one channel and the operation ``o``, in a file of ``folder``."""

    def __init__(
        self, folder: Path, protocol: str, host: str, *, address: str = "things", server: Any = None, **bindings: Any
    ) -> None:
        """``bindings`` are of ``channel``, ``operation``, ``message`` and ``peer`` (the server)."""
        kind = "mqtt" if protocol in {"mqtts", "mqtt5"} else protocol

        def bound(place: str) -> dict[str, Any]:
            return {"bindings": {kind: bindings[place]}} if place in bindings else {}

        self.document: dict[str, Any] = {
            "asyncapi": "3.0.0",
            "info": {"title": "things", "version": "1"},
            "servers": {"main": {"host": host, "protocol": protocol, **bound("peer"), **(server or {})}},
            "channels": {
                "c": {"address": address, "messages": {"m": {"$ref": "#/components/messages/m"}}, **bound("channel")}
            },
            "operations": {"o": {"action": "send", "channel": {"$ref": "#/channels/c"}, **bound("operation")}},
            "components": {"messages": {"m": {"contentType": "application/json", **bound("message")}}},
        }
        self._path = folder / "asyncapi.json"
        self.allowed: dict[str, Any] = {}

    async def publish(self, message: Any, **more: Any) -> Outcome:
        return await self._call({"message": message, **more})

    async def subscribe(self, subscription: Any, *, input: Any = None, **more: Any) -> Outcome:
        return await self._call({"subscription": subscription, **more}, input)

    def written(self) -> dict[str, Any]:
        """The document as a resource that workflows can name."""
        text = json.dumps(self.document)
        if not self._path.exists() or self._path.read_text(encoding="utf-8") != text:
            self._path.write_text(text, encoding="utf-8")
        return {"endpoint": self._path.as_uri()}

    async def _call(self, arguments: dict[str, Any], input: Any = None) -> Outcome:
        given = {"document": self.written(), "operation": "o", **arguments}
        task = {"call": "asyncapi", "with": {name: value for name, value in given.items() if value is not None}}
        return await perform("do: " + json.dumps([{"x": task}]), input, **self.allowed)


async def exchanged(described: Described, subscription: Any, *messages: Any, **more: Any) -> list[Any]:
    """What a subscription gives while ``messages`` are published, again and again until it ends."""
    subscriber = asyncio.ensure_future(described.subscribe(subscription, **more))
    try:
        while not subscriber.done():
            for message in messages:
                published = await described.publish(message, authentication=more.get("authentication"))
                assert isinstance(published, Completed), published
            await asyncio.wait((subscriber,), timeout=0.1)
        consumed: list[Any] = output(await subscriber)
        return consumed
    finally:
        subscriber.cancel()


def output(outcome: Outcome) -> Any:
    assert isinstance(outcome, Completed), outcome
    return outcome.output


def failure(outcome: Outcome) -> tuple[str, int, str]:
    """The last segment of the error's type, its status and its detail."""
    assert isinstance(outcome, Faulted), outcome
    error = outcome.error
    return error.type.rpartition("/")[2], error.status, error.detail or ""
