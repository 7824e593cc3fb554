"""All that a document says of one call, in the terms of its protocol."""

from __future__ import annotations

from lowtide.effects.asyncapi.document import AsyncApi, Operation
from lowtide.effects.asyncapi.server import Server, fill, select
from lowtide.effects.documents import misfit
from lowtide.model.base import JSON, Value

__all__ = ["Target", "pointed", "target_of"]


class Target(Value, frozen=True):
    """``address`` is the channel's: a topic, subject, routing key or path.

    ``server_bindings``, ``channel``, ``operation`` and ``message`` are the bindings of the protocol at each place;
    ``correlation`` is where a message has its correlation id, as ``$message.header#/id``; ``schemes`` the kinds of the
    server's security schemes.
    """

    server: Server
    address: str
    server_bindings: dict[str, JSON]
    channel: dict[str, JSON]
    operation: dict[str, JSON]
    message: dict[str, JSON]
    content_type: str | None
    correlation: str | None
    schemes: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Where it is, for errors."""
        return f"{self.address!r} at {self.server.protocol}://{self.server.host}:{self.server.port}"


def target_of(document: AsyncApi, arguments: dict[str, JSON]) -> Target:
    """Raises ``TaskFailed`` (``configuration``) where document and arguments do not fit."""
    message = arguments.get("message")
    operation = document.operation(
        channel=arguments.get("channel"), operation=arguments.get("operation"), publishes=message is not None
    )
    named = arguments.get("server")
    server = select(document, operation, named, arguments.get("protocol"))
    given = (named.get("variables") if isinstance(named, dict) else None) or {}
    carried = operation.messages[0] if operation.messages else {}

    def bindings(holder: dict[str, JSON]) -> dict[str, JSON]:
        all_ = document.resolved(holder.get("bindings"))
        found = document.resolved(all_.get(server.protocol))
        return found or (document.resolved(all_.get("mqtt")) if server.protocol == "mqtt5" else {})

    content_type = carried.get("contentType") or document.root.get("defaultContentType")
    return Target(
        server=server,
        address=_address(document, operation, given, message),
        server_bindings=bindings(server.members),
        channel=bindings(operation.channel),
        operation=bindings(operation.members),
        message=bindings(carried),
        content_type=None if content_type is None else str(content_type),
        correlation=document.resolved(carried.get("correlationId")).get("location"),
        schemes=_schemes(document, server, operation),
    )


def _address(document: AsyncApi, operation: Operation, given: dict[str, JSON], message: JSON) -> str:
    """A parameter's value: of the same name in ``server.variables``, or found in the message, or its default."""
    values: dict[str, str] = {}
    for name, node in document.resolved(operation.channel.get("parameters")).items():
        parameter = document.resolved(node)
        value = given.get(name)
        if value is None and parameter.get("location") is not None:
            value = pointed(str(parameter["location"]), message)
        if value is None:
            value = parameter.get("default", document.resolved(parameter.get("schema")).get("default"))
        allowed = parameter.get("enum")
        if value is not None and isinstance(allowed, list) and str(value) not in map(str, allowed):
            raise misfit(
                f"{document.uri}: the parameter {name!r} of {operation.address!r} is one of "
                f"{', '.join(map(str, allowed))}, not {value!r}"
            )
        if value is not None:
            values[name] = str(value)
    return fill(operation.address, values, f"{document.uri}: the channel of {operation.name!r}")


def _schemes(document: AsyncApi, server: Server, operation: Operation) -> tuple[str, ...]:
    wanted = operation.members.get("security") or server.members.get("security") or []
    if document.version == 3:
        return tuple(str(document.resolved(one).get("type")) for one in wanted)
    known = document.resolved(document.resolved(document.root.get("components")).get("securitySchemes"))
    names = [name for alternative in wanted if isinstance(alternative, dict) for name in alternative]
    return tuple(str(document.resolved(known.get(name)).get("type")) for name in names)


def pointed(expression: str, message: JSON) -> JSON:
    """What ``$message.payload#/a/b`` or ``$message.header#/a`` leads to; ``None`` where there is nothing."""
    place, _, pointer = expression.partition("#")
    node: JSON = message if isinstance(message, dict) else {}
    node = node.get({"$message.payload": "payload", "$message.header": "headers"}.get(place, ""))
    for raw in pointer.split("/")[1:]:
        segment = raw.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or segment not in node:
            return None
        node = node[segment]
    return node
