"""The server to speak to: by its name, or the first that fits; its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from lowtide.effects.asyncapi.document import AsyncApi, Operation
from lowtide.effects.documents import misfit
from lowtide.model.base import JSON, Value

__all__ = ["Server", "fill", "select"]

_SPOKEN_AS: Final = {
    "https": ("http", True),
    "wss": ("ws", True),
    "kafka-secure": ("kafka", True),
    "mqtts": ("mqtt", True),
    "secure-mqtt": ("mqtt", True),
    "amqps": ("amqp", True),
    "rediss": ("redis", True),
    "tls": ("nats", True),
    "stomps": ("stomp", True),
}
"""Protocols that are another one over TLS, as documents and the schemes of their URLs name them."""

_PORTS: Final = {
    ("http", False): 80,
    ("http", True): 443,
    ("ws", False): 80,
    ("ws", True): 443,
    ("nats", False): 4222,
    ("nats", True): 4222,
    ("kafka", False): 9092,
    ("kafka", True): 9093,
    ("mqtt", False): 1883,
    ("mqtt", True): 8883,
    ("amqp", False): 5672,
    ("amqp", True): 5671,
    ("redis", False): 6379,
    ("redis", True): 6379,
}


class Server(Value, frozen=True):
    """``path`` is what follows host and port. ``protocol`` is one of the standard's, without a word of TLS."""

    name: str
    protocol: str
    tls: bool
    host: str
    port: int
    path: str
    members: dict[str, JSON]


def select(document: AsyncApi, operation: Operation, named: JSON, protocol: JSON) -> Server:
    """``named`` is ``{name, variables}``; without one, the first of the channel's servers that speaks ``protocol``.

    Raises ``TaskFailed`` (``configuration``) where there is none, or a variable is missing or has a wrong value.
    """
    if isinstance(named, dict) and named.get("name") is not None:
        name = str(named["name"])
        return _read(document, name, document.server(name), named.get("variables"), operation)
    for name, members in operation.servers.items():
        server = _read(document, name, members, None, operation)
        if protocol is None or protocol == server.protocol:
            return server
    wanted = "" if protocol is None else f" for the protocol {protocol!r}"
    spoken = ", ".join(f"{name} ({members.get('protocol')})" for name, members in operation.servers.items())
    raise misfit(f"{document.uri}: {operation.name!r} has no server{wanted}; it has {spoken or 'none'}")


def _read(document: AsyncApi, name: str, members: dict[str, JSON], given: JSON, operation: Operation) -> Server:
    what = f"{document.uri}: the server {name!r}"
    variables = _variables(document, what, members, given if isinstance(given, dict) else {}, operation)
    text = members.get("url") if document.version == 2 else members.get("host")
    url = fill(str(text or ""), variables, what)
    said = str(members.get("protocol") or url.partition("://")[0]).lower()
    protocol, tls = _SPOKEN_AS.get(said, (said, False))
    parts = urlsplit(url if "://" in url else f"//{url}")
    tls = tls or _SPOKEN_AS.get(parts.scheme, ("", False))[1]
    version = str(members.get("protocolVersion") or "")
    if protocol == "mqtt" and version.startswith("5"):
        protocol = "mqtt5"
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise misfit(f"{what} is at {url!r}, which is no address: {error}") from error
    if not host:
        raise misfit(f"{what} is at {url!r}, which names no host")
    path = parts.path + fill(str(members.get("pathname") or ""), variables, what)
    port = port or _PORTS.get(("mqtt" if protocol == "mqtt5" else protocol, tls), 0)
    return Server(name, protocol, tls, host, port, path, members)


def _variables(
    document: AsyncApi, what: str, members: dict[str, JSON], given: dict[str, JSON], operation: Operation
) -> dict[str, str]:
    """The values of the server's variables: what the workflow gives, else their defaults."""
    declared = {name: document.resolved(node) for name, node in document.resolved(members.get("variables")).items()}
    known: Collection[str] = {*declared, *document.resolved(operation.channel.get("parameters"))}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise misfit(f"{what} has no variable {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    values: dict[str, str] = {}
    for name, variable in declared.items():
        value = given.get(name, variable.get("default"))
        if value is None:
            continue
        allowed = variable.get("enum")
        if isinstance(allowed, list) and allowed and str(value) not in map(str, allowed):
            raise misfit(f"{what}: its variable {name!r} is one of {', '.join(map(str, allowed))}, not {value!r}")
        values[name] = str(value)
    return values


def fill(text: str, values: dict[str, str], what: str) -> str:
    """``text`` with its ``{names}`` replaced. Raises ``TaskFailed`` (``configuration``) where one has no value."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise misfit(f"{what}: {{{match[1]}}} in {text!r} has no value; give one in `server.variables`")
        return values[match[1]]

    return re.sub(r"\{([^{}]+)\}", value, text)
