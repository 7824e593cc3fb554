"""Durations: ISO 8601 text or an object, to whole milliseconds.

A year counts 365 days and a month 30 days, always: a duration here is an amount of time and knows no calendar.
Fractions are allowed in ISO 8601 text (``PT0.5S``) and in objects (``{seconds: 0.5}``); what is finer than a
millisecond is rounded half to even.

``write`` goes the other way, for people: ``90061000`` -> ``P1DT1H1M1S``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from lowtide.model.base import JSON

__all__ = ["LONGEST", "UNITS", "to_millis", "write"]

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

LONGEST: Final = 1_000 * 365 * _DAY
"""A thousand years, in milliseconds: the longest duration that is accepted, so that due times stay dates."""

UNITS: Final[dict[str, int]] = {
    "days": _DAY,
    "hours": _HOUR,
    "minutes": _MINUTE,
    "seconds": _SECOND,
    "milliseconds": 1,
}
"""The members of a duration object, with their length in milliseconds."""

_NUMBER: Final = r"(\d{1,15}(?:[.,]\d{1,15})?)"
_ISO: Final = (
    rf"P(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
"""Compiled when it is first needed: most durations are whole milliseconds in the plan already."""

_ISO_UNITS: Final = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, _HOUR, _MINUTE, _SECOND)
_EXAMPLES: Final = "write ISO 8601 such as PT30S, PT1H30M or P2D, or an object such as {minutes: 5}"


def to_millis(value: JSON) -> int:
    """The length of a duration in milliseconds.

    ``value`` is ISO 8601 text (years, months, weeks, days, ``T``, hours, minutes, seconds, each once and in this
    order), or an object with at least one of ``days, hours, minutes, seconds, milliseconds``.
    Raises ``ValueError`` whose text says what is wrong and how to mend it.
    """
    if isinstance(value, str):
        millis = _from_text(value)
    elif isinstance(value, dict):
        millis = _from_object(value)
    else:
        raise ValueError(f"{_shown(value)} is not a duration; {_EXAMPLES}")
    if millis > LONGEST:
        raise ValueError(f"the duration {_shown(value)} is longer than 1,000 years; write a shorter one")
    return millis


def _from_text(text: str) -> int:
    found = re.fullmatch(_ISO, text, re.ASCII)
    if found is None or text.endswith(("P", "T")):
        raise ValueError(f"{_shown(text)} is not a duration; {_EXAMPLES}")
    total = sum(
        Decimal(amount.replace(",", ".")) * unit
        for amount, unit in zip(found.groups(), _ISO_UNITS, strict=True)
        if amount is not None
    )
    return round(total)


def _from_object(members: dict[str, JSON]) -> int:
    if not members:
        raise ValueError("the duration object is empty; give at least one of " + ", ".join(UNITS))
    total = Decimal(0)
    for key, amount in members.items():
        if key not in UNITS:
            raise ValueError(f"{_shown(key)} is not a unit of a duration; use {', '.join(UNITS)}")
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise ValueError(f"{key} of a duration must be a number, not {_shown(amount)}; write {key}: 5")
        if not 0 <= amount <= LONGEST:
            raise ValueError(f"{key} of a duration must be between 0 and {LONGEST}, not {_shown(amount)}")
        total += Decimal(repr(amount)) * UNITS[key]
    return round(total)


def _shown(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def write(millis: int) -> str:
    """The shortest ISO 8601 text in days, hours, minutes and seconds for ``millis``."""
    days, rest = divmod(millis, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds, fraction = divmod(rest, _SECOND)
    date = f"{days}D" if days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if fraction:
        time += f"{seconds}.{fraction:03d}".rstrip("0") + "S"
    elif seconds or not (date or time):
        time += f"{seconds}S"
    return "P" + date + ("T" + time if time else "")
