"""Passes: which namespace a session may read, signed with a key that is in the store and that no analyst can read.

    hex of the namespace . process id of the session . when it expires, seconds since 1970 . HMAC-SHA256 of these

A session may show any pass (``set_config`` is everybody's in PostgreSQL), but has none that opens more than
its own namespace: ``analysts.namespace()`` checks it, and is all that the views ask.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from sqlalchemy import text

from ..store import Store

__all__ = ["Signer", "signed"]

_KEY: Final = text("SELECT inner_pad, outer_pad FROM analysts_private.key")


class Signer:
    """Reads the key whenever it signs: one that was changed, or restored, is known at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def key(self) -> tuple[bytes, bytes]:
        """The two padded keys of RFC 2104. Raises :class:`lowtide.errors.Unavailable`."""
        (row,) = await self._store.ask(_KEY)
        return bytes(row["inner_pad"]), bytes(row["outer_pad"])


def signed(key: tuple[bytes, bytes], namespace: str, process: int, expires: int) -> str:
    inner, outer = key
    said = f"{namespace.encode().hex()}.{process}.{expires}"
    return f"{said}.{sha256(outer + sha256(inner + said.encode()).digest()).hexdigest()}"
