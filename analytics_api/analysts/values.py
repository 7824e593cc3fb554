"""Values as PostgreSQL writes them -> as JSON has them, and as CSV has them.

Numbers keep their digits, ``json`` is what it is, moments are ISO 8601; everything else is the text that PostgreSQL
writes. What JSON has no number for (``NaN``, ``Infinity``) is text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

__all__ = ["as_json", "as_plain"]

_INTEGERS: Final = frozenset({"int2", "int4", "int8", "oid"})
_NUMBERS: Final = frozenset({"float4", "float8", "numeric"})
_DOCUMENTS: Final = frozenset({"json", "jsonb"})
_MOMENTS: Final = frozenset({"timestamp", "timestamptz"})


def as_json(value: bytes | None, kind: str) -> Any:
    """What ``msgspec.json`` encodes as it should be."""
    if value is None:
        return None
    if kind in _DOCUMENTS or kind in _INTEGERS or (kind in _NUMBERS and _is_finite(value)):
        return msgspec.Raw(value)
    if kind == "bool":
        return value == b"t"
    return _text(value, kind)


def as_plain(value: bytes | None, kind: str) -> Any:
    """A cell: a number where it is one, so that its sign is not taken for the beginning of a formula."""
    if value is None:
        return None
    if kind in _INTEGERS or (kind in _NUMBERS and _is_finite(value)):
        return Decimal(value.decode())
    if kind == "bool":
        return "true" if value == b"t" else "false"
    return _text(value, kind)


def _is_finite(value: bytes) -> bool:
    return value[-1:].isdigit()


def _text(value: bytes, kind: str) -> str:
    text = value.decode("utf-8", "replace")
    if kind not in _MOMENTS or not text[0].isdigit() or text.endswith("BC"):
        return text
    return text.replace(" ", "T", 1).removesuffix("+00") + ("Z" if text.endswith("+00") else "")
