"""When analytics is asked to look at alert rules: as often as it told, and seldom where it told of none."""

from __future__ import annotations

from typing import Final

from lowtide.model.base import Millis
from lowtide.wire.types import Watch

from .database import Tx
from .rows import perform, rows_of

__all__ = ["claim", "give_back", "heard"]

_SELDOM: Final = 3_600_000
"""Milliseconds between two questions where there is nothing to look at: a word of analytics may have been lost."""

_EARLY: Final = 0.8
"""After this share of the time it may be asked again: ticks are not quite as far apart as they should be."""

# Of two ticks at once only one finds it due.
_CLAIM: Final = f"""
UPDATE alert_watch
   SET ask_at = clock_timestamp() + least(coalesce(every, {_SELDOM}), {_SELDOM}) * {_EARLY} * interval '1 millisecond'
 WHERE ask_at <= clock_timestamp()
RETURNING revision, every
"""

_HEARD: Final = f"""
UPDATE alert_watch
   SET revision = %(revision)s, every = %(every)s::bigint,
       ask_at = least(ask_at, clock_timestamp()
                        + coalesce(%(every)s::bigint, {_SELDOM}) * {_EARLY} * interval '1 millisecond')
 WHERE revision < %(revision)s
"""


async def claim(tx: Tx) -> Watch | None:
    """What is known, where it is time to ask; the next question is due only later. Else ``None``."""
    rows = await rows_of(tx, _CLAIM, {})
    return Watch(revision=rows[0][0], every=None if rows[0][1] is None else Millis(rows[0][1])) if rows else None


async def give_back(tx: Tx) -> None:
    """The question did not arrive: the next tick asks it again."""
    await perform(tx, "UPDATE alert_watch SET ask_at = clock_timestamp()", {})


async def heard(tx: Tx, watch: Watch) -> None:
    """What analytics told, unless something newer is known."""
    await perform(tx, _HEARD, {"revision": watch.revision, "every": watch.every})
