"""The token of a callback URL: for which execution, which callback, until when, and what may be posted.

    base64url( version 1 | execution 16 | id 12 | expires 6 | accepts 1 | HMAC-SHA256 32 )

Nobody stores it: whoever has the installation's key can tell whether it is ours. The key is the one of dispatches; the
text before what is signed keeps the two kinds of signatures apart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final
from uuid import UUID

from lowtide.errors import NotFound
from lowtide.model.base import ExecutionId, Millis, Value

__all__ = ["ACCEPTABLE", "CallbackToken", "callback_id", "read_token", "write_token"]

ACCEPTABLE: Final = ("application/json", "text/plain", "application/x-www-form-urlencoded")
"""The media types that a callback may take; their places are the bits of ``accepts``."""

_VERSION: Final = b"\x01"
_SIGNED: Final = 36
_PURPOSE: Final = b"lowtide callback\n"


class CallbackToken(Value, frozen=True):
    """``id`` is 16 characters of base64url."""

    execution: ExecutionId
    id: str
    expires: Millis
    accepts: tuple[str, ...]


def callback_id(idempotency_key: str) -> str:
    """The id of the callback that a command makes: the same, however often the command is performed."""
    return _text(hashlib.sha256(idempotency_key.encode()).digest()[:12])


def write_token(key: bytes, token: CallbackToken) -> str:
    bits = sum(1 << place for place, kind in enumerate(ACCEPTABLE) if kind in token.accepts)
    parts = (
        _VERSION,
        UUID(token.execution).bytes,
        _bytes(token.id),
        token.expires.to_bytes(6, "big"),
        bits.to_bytes(1, "big"),
    )
    signed = b"".join(parts)
    return _text(signed + _mac(key, signed))


def read_token(key: bytes, text: str) -> CallbackToken:
    """Raises :class:`lowtide.errors.NotFound` where this installation has not made it."""
    try:
        raw = _bytes(text)
    except (binascii.Error, ValueError):
        raw = b""
    signed, mac = raw[:_SIGNED], raw[_SIGNED:]
    # Written again, since base64 has more than one text for the same bytes.
    if signed[:1] != _VERSION or _text(raw) != text or not hmac.compare_digest(mac, _mac(key, signed)):
        raise NotFound("there is no such callback URL: it was cut off or altered, or is of another installation")
    return CallbackToken(
        execution=ExecutionId(str(UUID(bytes=signed[1:17]))),
        id=_text(signed[17:29]),
        expires=Millis(int.from_bytes(signed[29:35], "big")),
        accepts=tuple(kind for place, kind in enumerate(ACCEPTABLE) if signed[35] & 1 << place),
    )


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, _PURPOSE + signed, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
