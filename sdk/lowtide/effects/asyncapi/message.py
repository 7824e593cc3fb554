"""Messages: as workflows see them, ``{payload, headers, correlationId}``, and as protocols carry them."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote

import msgspec

from lowtide.effects.asyncapi.target import Target, pointed
from lowtide.effects.content import body_of, content_of
from lowtide.effects.documents import misfit
from lowtide.model.base import JSON, Value

__all__ = ["IDEMPOTENCY_KEY", "Incoming", "Outgoing", "outgoing", "shown"]

IDEMPOTENCY_KEY: Final = "idempotency-key"

_CORRELATION: Final = frozenset({"correlationid", "correlation-id", "correlation_id"})
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Outgoing(Value, frozen=True):
    """``headers`` are those of the workflow and the idempotency key, where the protocol has headers at all."""

    body: bytes
    content_type: str
    headers: dict[str, str]
    given: dict[str, str]
    key: str
    correlation: str | None = None

    def without_headers(self, protocol: str) -> None:
        """Raises ``TaskFailed`` (``configuration``) where there are headers that ``protocol`` cannot carry."""
        if self.given:
            raise misfit(
                f"{protocol} messages have no headers: leave out `message.headers`, or put them into the payload"
            )


class Incoming(Value, frozen=True):
    """``position`` is a part of the cursor: a key and where its messages go on after this one. ``token`` is what the
    protocol needs to acknowledge it."""

    body: bytes
    headers: dict[str, str] = {}
    content_type: str | None = None
    correlation: str | None = None
    position: tuple[str, JSON] | None = None
    token: Any = None


def outgoing(message: JSON, target: Target, idempotency_key: str) -> Outgoing:
    """Raises ``TaskFailed`` (``configuration``) for what is no message."""
    given = message if isinstance(message, dict) else {}
    headers = given.get("headers")
    if headers is not None and not isinstance(headers, dict):
        raise misfit("`with.message.headers` must be an object of names and values")
    texts = {name: _text(value) for name, value in (headers or {}).items() if value is not None}
    for name, value in texts.items():
        if not _NAME.fullmatch(name) or any(character in value for character in "\r\n\0"):
            raise misfit(f"the header {name!r} has a name or a value that no protocol can carry")
    content_type = next((value for name, value in texts.items() if name.lower() == "content-type"), target.content_type)
    payload = given.get("payload")
    body, kind = body_of(payload, content_type)
    key = quote(idempotency_key, safe="/@:.-_~!#")
    named = any(name.lower() == IDEMPOTENCY_KEY for name in texts)
    return Outgoing(
        body=b"" if body is None else body,
        content_type=kind or "application/json",
        headers=texts if named else {**texts, IDEMPOTENCY_KEY: key},
        given=texts,
        key=key,
        correlation=_correlation(texts, {"payload": payload, "headers": headers or {}}, target),
    )


def shown(incoming: Incoming, target: Target) -> dict[str, JSON]:
    """The message as the workflow sees it (dsl-reference.md, "AsyncAPI Inbound Message")."""
    kind = incoming.content_type or _header(incoming.headers, {"content-type"}) or target.content_type
    message: dict[str, JSON] = {"payload": _payload(incoming.body, kind), "headers": dict(incoming.headers)}
    correlation = incoming.correlation or _correlation(incoming.headers, message, target)
    if correlation is not None:
        message["correlationId"] = correlation
    return message


def _payload(body: bytes, content_type: str | None) -> JSON:
    """By its content type; where that is missing or wrong: JSON, else text, else base64."""
    if content_type is not None:
        try:
            return content_of(body, content_type, "utf-8")
        except ValueError:
            content_type = None
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return b64encode(body).decode()


def _correlation(headers: dict[str, str], message: JSON, target: Target) -> str | None:
    """Where the document says that it is, else in a header of its name."""
    found = None if target.correlation is None else pointed(target.correlation, message)
    return _text(found) if found is not None else _header(headers, _CORRELATION)


def _header(headers: dict[str, str], names: frozenset[str] | set[str]) -> str | None:
    return next((value for name, value in headers.items() if name.lower() in names), None)


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
