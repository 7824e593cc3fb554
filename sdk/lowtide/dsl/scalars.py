"""YAML 1.2 core schema (section 10.3 of the specification): what an unquoted scalar means.

Only ``null``, ``true`` and ``false`` (in their three spellings), decimal, ``0o`` and ``0x`` integers, and floats are
anything but text: ``no``, ``on``, ``12:30:00``, ``2026-01-01`` and ``1.0.0`` are strings, ``0777`` is the number 777.
"""

from __future__ import annotations

import math
import re
from typing import Final

from lowtide.model.base import JSON

__all__ = ["resolve", "resolve_tagged"]

_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_MAYBE_NUMBER: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_INTEGER: Final = 1_000


def resolve(text: str) -> JSON:
    """The value of a plain scalar. Raises ``ValueError`` for a number that JSON cannot carry."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _MAYBE_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, 10)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _integer(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"the number {text[:40]} is too large")
        return number
    if _NOT_A_NUMBER.fullmatch(text):
        raise ValueError(f"JSON has no {text}")
    return text


def _integer(text: str, base: int) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError("the number has more than 1,000 digits")
    return int(text, base)


def resolve_tagged(tag: str, text: str) -> JSON:
    """The value of a scalar with an explicit core tag such as ``!!str``. Raises ``ValueError`` for any other."""
    kind = tag.removeprefix("tag:yaml.org,2002:")
    if tag == "!" or kind == "str":
        return text
    value: JSON = resolve(text)
    if kind == "int" and type(value) is int:
        return value
    if kind == "float" and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError(f"the number {text[:40]} is too large") from error
    if kind == "bool" and type(value) is bool:
        return value
    if kind == "null" and value is None:
        return value
    raise ValueError(f"the tag !!{kind} does not fit here" if tag != kind else f"the tag {tag} is unknown")
