"""When starts were admitted, per bucket of a rate: enough of them to know when the next may be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from lowtide.wire import json

from .database import Tx
from .rows import columns_of, perform, rows_of

__all__ = ["drawn", "expire", "moments_of", "remember", "spend"]

_MOMENTS = "SELECT bucket, moments FROM rates WHERE bucket = ANY(%b::text[])"
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)


async def moments_of(
    tx: Tx, buckets: Collection[str], now: datetime
) -> tuple[dict[str, list[datetime]], frozenset[str]]:
    """Oldest first, none later than ``now``; buckets that were never used, or not for long, are absent. And those in
    which there were later ones: the clock was set back."""
    if not buckets:
        return {}, frozenset()
    stored = {row[0]: json.decode(row[1], list[int]) for row in await rows_of(tx, _MOMENTS, [list(buckets)])}
    moments = {bucket: [_EPOCH + one * _MICROSECOND for one in found] for bucket, found in stored.items()}
    ahead = frozenset(bucket for bucket, found in moments.items() if any(one > now for one in found))
    return {bucket: [min(now, one) for one in found] for bucket, found in moments.items()}, ahead


def _encoded(moments: Sequence[datetime]) -> bytes:
    return json.encode([(one - _EPOCH) // _MICROSECOND for one in moments])


_REMEMBER = """
INSERT INTO rates (bucket, moments, until) SELECT * FROM unnest(%b::text[], %b::bytea[], %b::timestamptz[])
ON CONFLICT (bucket) DO UPDATE SET moments = excluded.moments, until = excluded.until
"""


async def remember(tx: Tx, moments: Mapping[str, tuple[Sequence[datetime], datetime]]) -> None:
    """The newest moments of each bucket, and from when on they do not matter."""
    if moments:
        rows = [(bucket, _encoded(newest), until) for bucket, (newest, until) in sorted(moments.items())]
        await perform(tx, _REMEMBER, columns_of(rows, 3))


_DRAW = """
INSERT INTO rates (bucket, moments, until)
VALUES (%(bucket)s, '[]', clock_timestamp() - make_interval(secs => %(most)s))
ON CONFLICT (bucket) DO UPDATE SET until = greatest(rates.until, clock_timestamp() - make_interval(secs => %(most)s))
RETURNING extract(epoch FROM clock_timestamp() - until)::float8
"""
_SPEND = "UPDATE rates SET until = until + make_interval(secs => %(seconds)s) WHERE bucket = %(bucket)s"


async def drawn(tx: Tx, bucket: str, most: float) -> float:
    """Seconds since all of an even rate was used up, at most ``most``; nobody else draws until the transaction ends."""
    (row,) = await rows_of(tx, _DRAW, {"bucket": bucket, "most": most})
    return max(0.0, float(row[0]))


async def spend(tx: Tx, bucket: str, seconds: float) -> None:
    """What was drawn is used up."""
    await perform(tx, _SPEND, {"bucket": bucket, "seconds": seconds})


_EXPIRE = """
DELETE FROM rates WHERE bucket IN (
    SELECT bucket FROM rates WHERE until < clock_timestamp() ORDER BY until LIMIT %b FOR UPDATE SKIP LOCKED)
"""


async def expire(tx: Tx, most: int) -> int:
    """Forget buckets of which nothing matters any more; how many."""
    return await perform(tx, _EXPIRE, [most])
