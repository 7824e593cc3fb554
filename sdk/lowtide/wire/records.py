"""Journal entries: what the body of a journal record holds."""

from __future__ import annotations

from lowtide.model.base import Noun
from lowtide.model.event import Event

__all__ = ["Entry"]


class Entry(Noun, frozen=True, kw_only=True):
    """One journaled event.

    ``turn`` is the number of turns that the state had seen when the event was fed: a fold runs unfinished (``more``)
    turns up to it first, so that a replay interleaves as the live execution did. ``key`` is the inbox row that the
    event came from, if any.
    """

    turn: int
    event: Event
    key: str | None = None
