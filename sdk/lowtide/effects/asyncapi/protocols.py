"""Which file speaks which protocol, and what it needs to be installed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Final, Protocol, cast

from lowtide.effects.asyncapi.link import Feed, Link
from lowtide.effects.asyncapi.message import Outgoing
from lowtide.effects.asyncapi.target import Target
from lowtide.effects.documents import misfit
from lowtide.model.base import JSON

__all__ = ["Speaker", "speaker"]

_SPOKEN: Final[dict[str, tuple[str, str]]] = {
    "http": ("http", "aiohttp"),
    "ws": ("ws", "aiohttp"),
    "nats": ("nats", "nats"),
    "kafka": ("kafka", "aiokafka"),
    "mqtt": ("mqtt", "aiomqtt"),
    "mqtt5": ("mqtt", "aiomqtt"),
    "amqp": ("amqp", "aio_pika"),
    "redis": ("redis", "redis"),
}
"""The module of this package, and the library that it needs."""


class Speaker(Protocol):
    """The two verbs of a protocol's module."""

    async def publish(self, link: Link, message: Outgoing) -> None:
        """Return once the other side has it, as far as the protocol can tell."""
        ...

    def subscribe(self, link: Link, cursor: dict[str, JSON]) -> AbstractAsyncContextManager[Feed]:
        """Entered once the subscription is there: a message that is published after that is received."""
        ...


def speaker(target: Target) -> Speaker:
    """Raises ``TaskFailed`` (``configuration``) for a protocol that is not spoken, or not installed."""
    protocol = target.server.protocol
    if protocol not in _SPOKEN:
        spoken = ", ".join(_SPOKEN)
        raise misfit(
            f"the server {target.server.name!r} speaks {protocol!r}, which Lowtide does not; it speaks {spoken}"
        )
    module, library = _SPOKEN[protocol]
    try:
        import_module(library)
    except ImportError as error:
        raise misfit(f"{protocol} needs {library}: pip install 'lowtide[{module}]' ({error})") from error
    return cast(Speaker, import_module(f"lowtide.effects.asyncapi.{module}"))
