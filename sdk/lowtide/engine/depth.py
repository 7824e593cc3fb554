"""How deep data may be nested: what is deeper cannot be written down, neither in a snapshot nor for jq.

The codec's own limit is the interpreter's stack, of which frames and callers need their share. Loops can deepen data
without end (``set: {inner: "${ . }"}``), so that every value which a task gives or an expression makes is measured.
"""

from __future__ import annotations

from typing import Final

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["DEEPEST_DATA", "check_depth", "is_too_deep"]

DEEPEST_DATA: Final = 250
_NESTED: Final = (dict, list)


def is_too_deep(value: JSON) -> bool:
    """Level by level, so that no depth of the value can exhaust the stack."""
    if type(value) not in _NESTED:
        return False
    level = [value]
    for _ in range(DEEPEST_DATA):
        level = [
            inner for one in level for inner in (one.values() if type(one) is dict else one) if type(inner) in _NESTED
        ]
        if not level:
            return False
    return True


def check_depth(value: JSON, what: str) -> None:
    """Raises ``TaskFailed`` (``validation``, 400) for data that is nested more than ``DEEPEST_DATA`` levels deep."""
    if is_too_deep(value):
        detail = f"the {what} is nested more than {DEEPEST_DATA} levels deep; make it flatter, or end the loop earlier"
        raise TaskFailed(standard_error("validation", detail))
