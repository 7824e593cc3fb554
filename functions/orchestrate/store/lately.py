"""What the database's clock shows, known from what it said a moment ago.

Whoever only needs to know when something happens saves a statement by it. Nothing is decided by it that another process
decides by the database's own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Lately"]

_FRESH: Final = 1.0


class Lately:
    """An answer's time is older than the moment at which it is heard: so what is known is never ahead of the
    database, and behind it by what the quickest answer of the last second took. Must be used inside the event loop,
    unless ``monotonic`` (seconds) is given."""

    def __init__(self, monotonic: Callable[[], float] | None = None) -> None:
        self._monotonic = monotonic or (lambda: asyncio.get_running_loop().time())
        self._said: datetime | None = None
        self._heard = 0.0

    def heard(self, said: datetime) -> None:
        """The database said this just now."""
        known = self.now()
        if known is None or said >= known:
            self._said, self._heard = said, self._monotonic()

    def now(self) -> datetime | None:
        """The time; ``None`` where nothing was heard for a second."""
        if self._said is None:
            return None
        passed = self._monotonic() - self._heard
        return None if passed > _FRESH else self._said + timedelta(seconds=passed)
