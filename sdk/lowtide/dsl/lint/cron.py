"""Cron expressions: five fields, as Knative's PingSource reads them, with an optional ``CRON_TZ=`` in front."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from typing import Final, Literal

from lowtide.dsl.problem import suggest

__all__ = ["explain_cron"]

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART: Final = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\w+))?", re.ASCII)
_EXAMPLE: Final = "write minute, hour, day of month, month, day of week, as in 0 6 * * mon-fri"

Finding = tuple[Literal["error", "warning"], str, str]


def explain_cron(text: str) -> Iterator[Finding]:
    """What is wrong with a cron expression: severity, message, mend."""
    fields = text.split()
    if fields and fields[0].startswith(("CRON_TZ=", "TZ=")):
        zone = fields.pop(0).partition("=")[2]
        yield from _zone(zone)
    if len(fields) != 5:
        shown = f"it begins with {fields[0]}" if fields and fields[0].startswith("@") else f"this has {len(fields)}"
        yield "error", f"a cron expression has five fields, {shown}", _EXAMPLE
        return
    values: list[set[int]] = []
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        try:
            values.append(_values(field, low, high, words))
        except ValueError as error:
            yield "error", f"the field '{field}' ({name}) of the cron expression is wrong: {error}", _mend(name)
    if len(values) == 5 and fields[4] in ("*", "?") and not _ever(values[2], values[3]):
        yield "warning", "the day never comes in these months", "check day of month and month"


def _zone(zone: str) -> Iterator[Finding]:
    known = zoneinfo.available_timezones()
    if known and zone not in known:
        meant = suggest(zone, sorted(known))
        yield (
            "error",
            f"'{zone}' is not a time zone",
            f"did you mean CRON_TZ={meant}?" if meant else "write one such as CRON_TZ=Europe/Berlin",
        )


def _values(field: str, low: int, high: int, words: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"'{part}' is neither *, a value, a range a-b nor a step */n")
        every, first, last, step = match.groups()
        start = low if every else _value(first, low, high, words)
        stop = high if every or (step and not last) else _value(last, low, high, words) if last else start
        if stop < start:
            raise ValueError(f"the range {part} ends before it begins")
        if step is not None and not (step.isdecimal() and 0 < int(step) <= high):
            raise ValueError(f"the step {step} is not between 1 and {high}")
        found.update(range(start, stop + 1, int(step) if step else 1))
    return found


def _value(text: str, low: int, high: int, words: dict[str, int]) -> int:
    number = words.get(text.casefold())
    if number is None:
        if not text.isdecimal():
            raise ValueError(f"'{text}' is not a number" + (f" nor one of {', '.join(words)}" if words else ""))
        number = int(text)
    if not low <= number <= high:
        raise ValueError(f"{number} is not between {low} and {high}")
    return number


def _mend(name: str) -> str:
    return "write 0 for Sunday to 6 for Saturday" if name == "day of week" else _EXAMPLE


def _ever(days: set[int], months: set[int]) -> bool:
    return any(min(days) <= _LONGEST_MONTHS[month - 1] for month in months)
