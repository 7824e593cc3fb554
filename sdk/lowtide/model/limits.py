"""Limits of a workflow's executions: how many at once, how many starts per time, which of them, in which order.

Declared by the author in ``document.metadata.lowtide.limits`` (metadata is free in the standard), or set by an
operator, whose word replaces the document's. Shapes, all members optional:

    concurrency: {limit: 5, key: "${ .customer }"}     executions that run at once, per value of the key
    rate: {limit: 100, period: PT1M, key: …}           starts in any stretch of time as long as the period
    debounce: {period: PT5S, key: …, atMost: PT1M}     the last start wins, once none came for the period
    priority: 10                                       or an expression; -100 to 100, higher first
    queue: 1000                                        starts that may wait; 0: what cannot begin at once is refused

Expressions are jq over the execution's input, with or without ``${ }`` around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lowtide.model.base import JSON, Millis
from lowtide.model.duration import to_millis, write
from lowtide.model.ours import ours

__all__ = [
    "EXPRESSIONS",
    "PRIORITIES",
    "QUEUE",
    "Concurrency",
    "Debounce",
    "Limits",
    "Mistake",
    "Rate",
    "declared_limits",
    "read_limits",
    "written_limits",
]

QUEUE: Final = 10_000
"""How many starts of a workflow with limits may wait, where nothing else is said."""

PRIORITIES: Final = (-100, 100)

EXPRESSIONS: Final = (("concurrency", "key"), ("rate", "key"), ("debounce", "key"), ("priority",))
"""Where expressions may stand."""

_MOST_AT_ONCE: Final = 100_000
_MOST_PER_PERIOD: Final = 1_000
"""The moment of each start in the period is remembered; a higher rate is written with a shorter period."""
_LONGEST_PERIOD: Final = 30 * 86_400_000
_LONGEST_QUEUE: Final = 10_000_000


class Concurrency(msgspec.Struct, frozen=True):
    limit: int
    key: str | None = None


class Rate(msgspec.Struct, frozen=True):
    """At most ``limit`` starts in any stretch of ``period`` milliseconds."""

    limit: int
    period: Millis
    key: str | None = None


class Debounce(msgspec.Struct, frozen=True):
    """``period``: how long no other start may come; ``at_most``: how long others may put one off. Milliseconds."""

    period: Millis
    key: str | None = None
    at_most: Millis | None = None


class Limits(msgspec.Struct, frozen=True):
    """``priority``: a number, or the jq program that gives it."""

    concurrency: Concurrency | None = None
    rate: Rate | None = None
    debounce: Debounce | None = None
    priority: int | str = 0
    queue: int = QUEUE


def written_limits(limits: Limits) -> dict[str, JSON]:
    """The limits as they are declared: what :func:`read_limits` reads."""
    written: dict[str, JSON] = {"priority": limits.priority, "queue": limits.queue}
    if limits.concurrency is not None:
        written["concurrency"] = {"limit": limits.concurrency.limit, "key": limits.concurrency.key}
    if limits.rate is not None:
        rate = limits.rate
        written["rate"] = {"limit": rate.limit, "period": write(rate.period), "key": rate.key}
    if limits.debounce is not None:
        longest, period = limits.debounce.at_most, write(limits.debounce.period)
        written["debounce"] = {"period": period, "key": limits.debounce.key}
        if longest is not None:
            written["debounce"]["atMost"] = write(longest)
    return written


class Mistake(msgspec.Struct, frozen=True):
    """``path`` leads to what is wrong; ``message`` and ``mend`` are for people."""

    path: tuple[str, ...]
    message: str
    mend: str


def declared_limits(definition: Mapping[str, JSON]) -> Limits | None:
    """The limits in a checked document; ``None`` where it declares none."""
    found = ours(definition, "limits")
    return None if found is None else read_limits(found)[0]


def read_limits(value: JSON) -> tuple[Limits, list[Mistake]]:
    """The limits as they are declared, and what is wrong with them; what is wrong is left out."""
    reader = _Reader()
    given = reader.members((), value, ("concurrency", "rate", "debounce", "priority", "queue"))
    limits = Limits(
        concurrency=_concurrency(reader, given.get("concurrency")),
        rate=_rate(reader, given.get("rate")),
        debounce=_debounce(reader, given.get("debounce")),
        priority=_priority(reader, given.get("priority", 0)),
        queue=reader.count(("queue",), given.get("queue", QUEUE), 0, _LONGEST_QUEUE) or 0,
    )
    return limits, reader.mistakes


def _concurrency(reader: _Reader, value: JSON) -> Concurrency | None:
    if value is None:
        return None
    path = ("concurrency",)
    given = reader.members(path, value, ("limit", "key"))
    limit = reader.count((*path, "limit"), given.get("limit"), 1, _MOST_AT_ONCE)
    return None if limit is None else Concurrency(limit, reader.expression((*path, "key"), given.get("key")))


def _rate(reader: _Reader, value: JSON) -> Rate | None:
    if value is None:
        return None
    path = ("rate",)
    given = reader.members(path, value, ("limit", "period", "key"))
    limit = reader.count((*path, "limit"), given.get("limit"), 1, _MOST_PER_PERIOD)
    period = reader.period((*path, "period"), given.get("period"))
    key = reader.expression((*path, "key"), given.get("key"))
    return None if limit is None or period is None else Rate(limit, period, key)


def _debounce(reader: _Reader, value: JSON) -> Debounce | None:
    if value is None:
        return None
    path = ("debounce",)
    given = reader.members(path, value, ("period", "key", "atMost"))
    period = reader.period((*path, "period"), given.get("period"))
    longest = reader.period((*path, "atMost"), given["atMost"]) if "atMost" in given else None
    key = reader.expression((*path, "key"), given.get("key"))
    return None if period is None else Debounce(period, key, longest)


def _priority(reader: _Reader, value: JSON) -> int | str:
    if isinstance(value, str):
        return reader.expression(("priority",), value) or 0
    return reader.count(("priority",), value, *PRIORITIES) or 0


class _Reader:
    """Reads members one by one and gathers what is wrong."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def members(self, path: tuple[str, ...], value: JSON, known: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._wrong(path, f"{_shown(value)} is no object", f"write an object with {', '.join(known)}")
            return {}
        for name in value:
            if name not in known:
                self._wrong((*path, name), f"'{name}' is no limit", f"write one of {', '.join(known)}")
        return value

    def count(self, path: tuple[str, ...], value: JSON, least: int, most: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        said = "is missing" if value is None else f"{_shown(value)} does not fit"
        self._wrong(path, f"'{path[-1]}' {said}", f"write a whole number from {least:,} to {most:,}")
        return None

    def period(self, path: tuple[str, ...], value: JSON) -> Millis | None:
        try:
            found = to_millis(value)
        except ValueError as error:
            message, _, mend = str(error).partition("; ")
            self._wrong(path, message, mend)
            return None
        if not 1 <= found <= _LONGEST_PERIOD:
            self._wrong(path, f"'{path[-1]}' is {found:,} ms long", "write a duration from 1 ms to 30 days")
            return None
        return Millis(found)

    def expression(self, path: tuple[str, ...], value: JSON) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not (source := _source(value)):
            self._wrong(path, f"{_shown(value)} is no expression", "write jq over the input, such as ${ .customer }")
            return None
        return source

    def _wrong(self, path: tuple[str, ...], message: str, mend: str) -> None:
        self.mistakes.append(Mistake(path, message, mend))


def _source(text: str) -> str:
    """The jq of a field that is an expression: bare, or in ``${ }`` (decision A-2)."""
    stripped = text.strip()
    return stripped[2:-1].strip() if stripped.startswith("${") and stripped.endswith("}") else stripped


def _shown(value: JSON) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}…"
