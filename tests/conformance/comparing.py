"""Comparing JSON values as their readers do: ``true`` is not ``1``, the order of members says nothing."""

from __future__ import annotations

from typing import Any

__all__ = ["at", "contains", "equal"]


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def contains(whole: Any, part: Any) -> bool:
    """Whether all members that ``part`` names are in ``whole``, at any depth; arrays are compared one by one."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return equal(whole, part)


def at(value: Any, path: str) -> Any:
    """The value at a path such as ``request.method`` or ``0.id``. Raises ``AssertionError`` where there is none."""
    for segment in path.split("."):
        if isinstance(value, list) and segment.isdecimal():
            assert int(segment) < len(value), f"there is no '{path}'"
            value = value[int(segment)]
        else:
            assert isinstance(value, dict), f"there is no '{path}'"
            assert segment in value, f"there is no '{path}' in {sorted(value)}"
            value = value[segment]
    return value
