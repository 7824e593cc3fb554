"""How deep data may be nested: what is deeper cannot be written down, neither in a snapshot nor for jq.

The codec's own limit is the interpreter's stack, of which frames and callers need their share. Loops can deepen data
without end (``set: {inner: "${ . }"}``), so that every value which a task gives or an expression makes is measured.
"""

from __future__ import annotations

from typing import Final

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["DEEPEST_DATA", "NESTED", "Depths", "is_too_deep"]

DEEPEST_DATA: Final = 250
NESTED: Final = frozenset({dict, list})
"""The types of values that hold others."""

_LARGE: Final = 64
_REMEMBERED: Final = 8


class Depths:
    """Measures values. Remembers the last large collections that it saw and how many levels they have at most, since a
    workflow hands the same ones from task to task; JSON values are never changed in place."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[tuple[JSON, int]] = []

    def check(self, value: JSON, what: str) -> None:
        """Raises ``TaskFailed`` (``validation``, 400) for data nested deeper than ``DEEPEST_DATA`` levels."""
        kind = type(value)
        if kind not in NESTED:
            return
        parts = value.values() if kind is dict else value
        if len(value) < _LARGE and NESTED.isdisjoint(map(type, parts)):
            return  # flat, as most that tasks give
        if self._exceeds(value):
            detail = (
                f"the {what} is nested more than {DEEPEST_DATA} levels deep; make it flatter, or end the loop earlier"
            )
            raise TaskFailed(standard_error("validation", detail))

    def _exceeds(self, value: JSON) -> bool:
        """Level by level, so that no depth of the value can exhaust the stack."""
        level, levels, deepest = [value], 0, 0
        large: list[tuple[JSON, int]] = []
        while level:
            levels += 1
            if levels > DEEPEST_DATA:
                return True
            inner: list[JSON] = []
            for one in level:
                if len(one) >= _LARGE:
                    below = next((most for known, most in self._known if known is one), DEEPEST_DATA + 1)
                    large.append((one, levels))
                    if levels - 1 + below <= DEEPEST_DATA:
                        deepest = max(deepest, levels - 1 + below)
                        continue
                inner += [part for part in (one.values() if type(one) is dict else one) if type(part) in NESTED]
            level = inner
        deepest = max(deepest, levels)
        if large:
            self._known = [(one, deepest - at + 1) for one, at in large[:_REMEMBERED]]
        return False


def is_too_deep(value: JSON) -> bool:
    return type(value) in NESTED and Depths()._exceeds(value)
