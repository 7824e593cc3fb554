"""The text of an AsyncAPI document -> its channels and operations, the same of version 2 and of version 3."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from lowtide.effects.documents import Document, misfit, read
from lowtide.model.base import JSON, Value

__all__ = ["AsyncApi", "Operation", "choose", "parse"]

_VERSIONS: Final = "Lowtide reads AsyncAPI 2 and 3"


class Operation(Value, frozen=True):
    """``address`` may hold parameters; ``servers`` are those that the channel names, or all, by name.

    ``messages`` are those that the operation may carry; all references are resolved.
    """

    name: str
    address: str
    channel: dict[str, JSON]
    members: dict[str, JSON]
    messages: list[dict[str, JSON]]
    servers: dict[str, dict[str, JSON]]


class AsyncApi(Document):
    """``version`` is 2 or 3."""

    def __init__(self, root: dict[str, JSON], uri: str) -> None:
        super().__init__(root, uri)
        said = str(root.get("asyncapi", ""))
        if not re.match(r"[23]\.\d", said):
            raise misfit(f"{uri} says that it is AsyncAPI {said or 'nothing'}; {_VERSIONS}")
        self.version = int(said[0])

    def operation(self, *, channel: JSON, operation: JSON, publishes: bool) -> Operation:
        """What a call names: a channel's operation (version 2), or an operation (version 3).

        Raises ``TaskFailed`` (``configuration``) naming what the author may have meant.
        """
        if self.version == 2:
            if channel is None:
                raise misfit(f"{self.uri} is AsyncAPI 2, which names channels: give `channel` instead of `operation`")
            return self._of_channel(str(channel), "publish" if publishes else "subscribe")
        if operation is None:
            raise misfit(f"{self.uri} is AsyncAPI 3, which names operations: give `operation` instead of `channel`")
        return self._of_operation(str(operation))

    def _of_channel(self, name: str, verb: str) -> Operation:
        channel = choose(self, self.resolved(self.root.get("channels")), name, "channel")
        if verb not in channel:
            raise misfit(f"{self.uri}: the channel {name!r} has no `{verb}` operation")
        members = self._with_traits(channel[verb])
        message = self.resolved(members.get("message"))
        messages = message["oneOf"] if isinstance(message.get("oneOf"), list) else [message]
        named = channel.get("servers") or list(self._all_servers())
        return Operation(
            name, name, channel, members, self._messages(messages), {one: self.server(str(one)) for one in named}
        )

    def _of_operation(self, name: str) -> Operation:
        members = self._with_traits(choose(self, self.resolved(self.root.get("operations")), name, "operation"))
        named = members.get("channel")
        channel = self.resolved(named)
        if not channel:
            raise misfit(f"{self.uri}: the operation {name!r} names no channel")
        address = channel.get("address")
        if address is None:  # the name of a channel without an address is the best that there is
            reference = named.get("$ref") if isinstance(named, dict) else None
            address = str(reference or name).rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        messages = members.get("messages") or list(self.resolved(channel.get("messages")).values())
        servers = self._all_servers()
        if channel.get("servers"):
            named_first = [self.resolved(one) for one in channel["servers"]]
            known = servers.items()
            servers = {name: server for wanted in named_first for name, server in known if server == wanted}
        return Operation(name, str(address), channel, members, self._messages(messages), servers)

    def server(self, name: str) -> dict[str, JSON]:
        return choose(self, self._all_servers(), name, "server")

    def _all_servers(self) -> dict[str, dict[str, JSON]]:
        return {name: self.resolved(node) for name, node in self.resolved(self.root.get("servers")).items()}

    def _messages(self, nodes: JSON) -> list[dict[str, JSON]]:
        return [self._with_traits(node) for node in nodes] if isinstance(nodes, list) else []

    def _with_traits(self, node: JSON) -> dict[str, JSON]:
        """What an object's traits add; what it says itself counts more."""
        members = self.resolved(node)
        traits: dict[str, JSON] = {}
        for trait in members.get("traits") or []:
            traits |= self.resolved(trait)
        return {**traits, **members}


def choose(document: AsyncApi, known: dict[str, JSON], name: str, what: str) -> dict[str, JSON]:
    """A member by its name. Raises ``TaskFailed`` (``configuration``) naming what the author may have meant."""
    if name in known:
        return document.resolved(known[name])
    meant = get_close_matches(name, known, 1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"it has {', '.join(list(known)[:20]) or 'none'}"
    raise misfit(f"{document.uri} has no {what} {name!r}; {hint}")


def parse(body: bytes, uri: str) -> AsyncApi:
    """Raises ``TaskFailed`` (``configuration``) where it is neither JSON nor YAML, or no AsyncAPI document."""
    return AsyncApi(read(body, uri, "AsyncAPI"), uri)
