"""Texts of any length as keys that fit an index."""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["TYPE_LENGTH", "fingerprint", "hashed", "short"]

TYPE_LENGTH: Final = 200
"""Event types are indexed by this many characters; the filters themselves compare all of them."""

_LONGEST: Final = 400


def hashed(*parts: str | None) -> str:
    """The sha256 of the parts, which may hold any character."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = b"-" if part is None else b"+" + part.encode()
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


def fingerprint(namespace: str | None, source: str, event_id: str) -> str:
    """What makes an event the same event: source and id, within the namespace that it was sent to."""
    return hashed(namespace, source, event_id)


def short(text: str) -> str:
    """``text``, or its hash where it is long."""
    return text if len(text) <= _LONGEST else hashed(text)
