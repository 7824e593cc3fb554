"""Message authentication of dispatches and outcomes (architecture, section 3).

A token is ``v1.{expires}.{mac}``: HMAC-SHA256 (RFC 2104) over purpose, execution, epoch, digest and expiry, under the
installation's key. Outcomes carry one as well, so that nobody but execute can end an execution.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

from lowtide.errors import Unauthentic
from lowtide.model.base import Millis

__all__ = ["Purpose", "digest_of", "sign", "verify"]

Purpose = Literal["dispatch", "outcome"]

_VERSION: Final = "v1"


def digest_of(body: bytes) -> str:
    """The digest of a dispatch's stored body: lower-case hex SHA-256."""
    return hashlib.sha256(body).hexdigest()


def sign(key: bytes, purpose: Purpose, execution: str, epoch: int, digest: str, expires: Millis) -> str:
    """A token that :func:`verify` accepts until ``expires``."""
    return f"{_VERSION}.{expires}.{_mac(key, purpose, execution, epoch, digest, expires)}"


def verify(key: bytes, token: str, purpose: Purpose, execution: str, epoch: int, digest: str, now: Millis) -> bool:
    """``True`` where the token is ours and still lives, ``False`` where it is ours but has expired.

    Raises :class:`lowtide.errors.Unauthentic` where it is not ours.
    """
    version, _, rest = token.partition(".")
    expires_text, _, mac = rest.partition(".")
    if version != _VERSION or not expires_text.isdecimal():
        raise Unauthentic("the token has no known form; it was not written by this installation")
    expires = Millis(int(expires_text))
    if not hmac.compare_digest(mac, _mac(key, purpose, execution, epoch, digest, expires)):
        raise Unauthentic(
            f"the token of execution {execution}, epoch {epoch}, does not match; "
            "check that all functions share one key, and that the event was not altered"
        )
    return now <= expires


def _mac(key: bytes, purpose: Purpose, execution: str, epoch: int, digest: str, expires: Millis) -> str:
    text = f"{purpose}\n{execution}\n{epoch}\n{digest}\n{expires}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
