"""Which leases this process may believe in, by its own monotonic clock. No I/O.

The server lets an owner live for a while after each sign of life that it acknowledged. We count from the moment that
sign was *sent* and stop earlier, so we always stop believing before the server does. Whatever was open while our
belief had lapsed may have been taken over meanwhile: it is doubtful until an append (an empty one will do) was
acknowledged for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import TypeAlias

__all__ = ["Key", "Trust"]

Key: TypeAlias = tuple[str, int]
"""Execution and epoch."""


class Trust:
    """``window``: seconds from the sending of an acknowledged sign of life."""

    def __init__(self, window: float, monotonic: Callable[[], float]) -> None:
        self.window = window
        self._monotonic = monotonic
        self._until = float("-inf")
        self._open: set[Key] = set()
        self._doubtful: set[Key] = set()

    @property
    def open(self) -> Set[Key]:
        return self._open

    @property
    def doubtful(self) -> Set[Key]:
        return self._doubtful

    def opened(self, key: Key, sent: float) -> None:
        """The lease was taken by a call sent at ``sent``; the call was a sign of life of the whole process."""
        self.heard(sent)
        self._open.add(key)
        self._doubtful.discard(key)

    def heard(self, sent: float, confirmed: Iterable[Key] = ()) -> None:
        """A sign of life sent at ``sent`` was acknowledged, and with it that the leases ``confirmed`` are ours."""
        if self._monotonic() >= self._until:
            self._doubtful |= self._open
        self._doubtful.difference_update(confirmed)
        self._until = max(self._until, sent + self.window)

    def ended(self, key: Key) -> None:
        """The lease is closed, given back or lost."""
        self._open.discard(key)
        self._doubtful.discard(key)

    def holds(self, key: Key) -> bool:
        return key in self._open and key not in self._doubtful and self._monotonic() < self._until
