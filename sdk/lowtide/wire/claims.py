"""The claim check: what is too large to travel is put into the payload store, and its reference travels instead.

A reference is the text ``@sha256:{64 hexadecimal digits}:{bytes}``. It stands where JSON of ours would stand, and is
none: nothing that a user wrote can be taken for one. It names content of one execution; which one, the message around
it says.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from lowtide.model.base import Noun

__all__ = ["MEDIA_TYPE", "Payload", "payload_of", "reference", "referred"]

MEDIA_TYPE: Final = "text/plain"
"""The ``datacontenttype`` of an event of ours that carries a reference."""

_FORM: Final = re.compile(rb"@sha256:([0-9a-f]{64}):([0-9]{1,15})")
_LONGEST: Final = 100


class Payload(Noun, frozen=True, kw_only=True):
    """Content in the payload store: its SHA-256 in lower-case hexadecimal digits, and how many bytes it has."""

    sha256: str
    size: int


def payload_of(content: bytes) -> Payload:
    return Payload(sha256=sha256(content).hexdigest(), size=len(content))


def reference(payload: Payload) -> bytes:
    return f"@sha256:{payload.sha256}:{payload.size}".encode()


def referred(body: bytes) -> Payload | None:
    """What ``body`` refers to; ``None`` where it is not a reference, but the thing itself."""
    found = _FORM.fullmatch(body) if len(body) <= _LONGEST else None
    return None if found is None else Payload(sha256=found[1].decode(), size=int(found[2]))
