"""Liveness of processes, by database time: one heartbeat keeps all leases of its sender.

Every transaction locks leases before owners, and several owners in the order of their names, so that none waits in a
circle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from lowtide.storage.database import Connection

__all__ = ["Voices", "forget_owners", "heard", "lives", "lost"]

# Written only where it moves the expiry by more than the slack: a busy owner is not written with every commit.
_HEARD = """
INSERT INTO owners (owner, stream, expires_at)
SELECT owner, nullif(stream, ''), clock_timestamp() + %(ttl)s
  FROM unnest(%(owners)s::text[], %(streams)s::text[]) AS heard (owner, stream)
 ORDER BY owner
ON CONFLICT (owner) DO UPDATE
   SET expires_at = greatest(owners.expires_at, excluded.expires_at),
       stream = coalesce(excluded.stream, owners.stream)
 WHERE owners.expires_at < excluded.expires_at - %(slack)s::interval
    OR owners.stream IS DISTINCT FROM coalesce(excluded.stream, owners.stream)
"""

_LOST = """
UPDATE owners SET expires_at = least(expires_at, clock_timestamp() + %(ttl)s)
 WHERE owner = %(owner)s AND stream = %(stream)s
"""


class Voices:
    """Which owners were heard so lately, on a stream that ends here, that the store need not be told again.

    Not telling costs no more than the slack by which a busy owner's expiry is rounded anyway: no other replica can have
    shortened it meanwhile, for it is the loss of this very stream that would.
    """

    def __init__(self, ttl: float) -> None:
        self._slack = min(1.0, ttl / 10)
        self._told: dict[str, tuple[str, float]] = {}

    def unknown(self, streams: Mapping[str, str]) -> dict[str, str]:
        """Those that the store must be told of; an empty stream: a call outside one."""
        now = asyncio.get_running_loop().time()
        return {
            owner: stream
            for owner, stream in streams.items()
            if owner not in self._told
            or stream not in ("", self._told[owner][0])
            or now - self._told[owner][1] >= self._slack
        }

    def told(self, streams: Mapping[str, str], at: float) -> None:
        """The store was told, by a statement that began ``at`` this time of the event loop."""
        self._told.update({owner: (stream, at) for owner, stream in streams.items() if stream})

    def forget(self, owner: str, stream: str) -> None:
        """This stream has ended."""
        if self._told.get(owner, ("", 0.0))[0] == stream:
            del self._told[owner]


async def heard(connection: Connection, streams: Mapping[str, str], ttl: float) -> None:
    """The owners (with the stream each was heard on, empty for a call outside one) live for ``ttl`` seconds more."""
    await connection.execute(
        _HEARD,
        {
            "owners": list(streams),
            "streams": list(streams.values()),
            "ttl": timedelta(seconds=ttl),
            "slack": timedelta(seconds=min(1.0, ttl / 10)),
        },
    )


async def lost(connection: Connection, owner: str, stream: str, ttl: float) -> None:
    """The stream broke: unless the owner was heard on another one since, it lives at most ``ttl`` seconds more."""
    await connection.execute(_LOST, {"owner": owner, "stream": stream, "ttl": timedelta(seconds=ttl)})


async def lives(connection: Connection, owner: str | None) -> bool:
    """Whether ``owner`` lives now; a statement of its own, so that it sees what was committed while we waited."""
    if owner is None:
        return False
    cursor = await connection.execute("SELECT expires_at > clock_timestamp() FROM owners WHERE owner = %s", [owner])
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def forget_owners(connection: Connection) -> None:
    """Remove owners that died an hour ago: no lease of theirs lives."""
    await connection.execute("DELETE FROM owners WHERE expires_at < now() - interval '1 hour'")
