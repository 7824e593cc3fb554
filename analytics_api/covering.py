"""Which cells of the rollups cover a window: minutes of a short one; of a longer one the days that are whole, and the
hours at its edges. They say what hours alone would, in a twentieth of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lowtide.errors import InvalidInput

__all__ = ["Span", "rollup_window"]

_COLUMNS: Final = "namespace, measure, at, workflow, version, task, count, total, smallest, largest, sketch"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From ``first`` to before ``last``, in UTC: whole minutes where ``minutely``, and else whole hours."""

    first: datetime
    last: datetime
    minutely: bool

    @property
    def parts(self) -> list[tuple[str, datetime, datetime]]:
        """Tables, each with the moment from which it is read, and that before which."""
        if self.minutely:
            return [("rollups_minute", self.first, self.last)]
        begins, ends = _midnight(self.first + _DAY - timedelta(microseconds=1)), _midnight(self.last)
        if begins >= ends:
            return [("rollups_hour", self.first, self.last)]
        parts = (("rollups_hour", self.first, begins), ("rollups_day", begins, ends), ("rollups_hour", ends, self.last))
        return [(table, since, until) for table, since, until in parts if since < until]

    @property
    def cells(self) -> str:
        """What to read ``FROM``, with :attr:`values`."""
        read = (
            f"SELECT {_COLUMNS} FROM {table} WHERE at >= :since_{number} AND at < :until_{number}"
            for number, (table, _, _) in enumerate(self.parts)
        )
        return f"({' UNION ALL '.join(read)}) AS cells"

    @property
    def values(self) -> dict[str, Any]:
        return {
            name: moment
            for number, (_, since, until) in enumerate(self.parts)
            for name, moment in ((f"since_{number}", since), (f"until_{number}", until))
        }


def rollup_window(
    since: datetime | None, until: datetime | None, now: datetime, *, minutes: timedelta, longest: timedelta
) -> Span:
    """The whole minutes (of at most ``minutes``) or hours that cover what was asked for; by default the last day.

    Raises :class:`lowtide.errors.InvalidInput` where the window is empty or longer than ``longest``.
    """
    end = until or now
    begin = since or end - _DAY
    if begin >= end:
        raise InvalidInput("`from` is not before `to`; swap them, or leave one out")
    if end - begin > longest:
        raise InvalidInput(f"the window is longer than {longest.days} days; ask for it in parts")
    if end - begin <= minutes:
        return Span(_floor(begin, 1), _floor(end + timedelta(minutes=1, microseconds=-1), 1), True)
    return Span(_floor(begin, 60), _floor(end + timedelta(hours=1, microseconds=-1), 60), False)


def _floor(moment: datetime, minutes: int) -> datetime:
    return moment.replace(minute=moment.minute // minutes * minutes, second=0, microsecond=0)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
