"""Which programs may run in this process: those whose work is bounded by a small estimate (decision A-20).

The estimate is crude on purpose: input size to the power of the number of iterations in the text, times the growth
that commas can cause. Whatever can recurse, count without input, or match regular expressions is never cheap.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from lowtide.model.base import Value

__all__ = ["CHEAP_WORK", "is_cheap"]

CHEAP_WORK: Final = 20_000_000
"""Estimated elementary steps that a program may take in this process; about a tenth of a second of jq."""

_CHEAP: Final = frozenset(
    """
    abs add all and any arrays as ascii ascii_downcase ascii_upcase booleans catch ceil contains del delpaths
    elif else empty end endswith env error explode false first flatten floor from_entries fromdate
    fromdateiso8601 fromjson getpath group_by has if implode in index indices infinite inside isempty isinfinite
    isnan iterables join keys keys_unsorted last length ltrim ltrimstr map map_values max max_by min min_by nan
    not now nth null nulls numbers objects or path paths pick reduce reverse rindex round rtrim rtrimstr scalars
    select setpath significand sort sort_by split sqrt startswith strings then to_entries toarray todate
    todateiso8601 tojson tonumber tostring trim true try type unique unique_by utf8bytelength values
    with_entries
    """.split()  # noqa: SIM905 - a list of a hundred words reads better as text
)
_ITERATORS: Final = re.compile(
    r"\[\s*\]|\.\.|\b(?:map|map_values|select|any|all|flatten|sort_by|group_by|unique_by|min_by|max_by|with_entries|reduce"
    r"|paths|add|contains|inside|unique|sort|join|split|indices|del|tojson|fromjson)\b"
)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD: Final = re.compile(r"(?<![.$\w@])[A-Za-z_]\w*\b(?!\s*:(?!:))")
_NUMBER: Final = re.compile(r"\d+(?:[eE]\+?\d+)?")
_MAX_LENGTH: Final = 2_000
_MAX_COMMAS: Final = 40


class _Shape(Value, frozen=True):
    bounded: bool
    iterations: int
    growth: float
    products: int
    largest: int


@cache
def _shape(program: str) -> _Shape:
    plain = _STRING.sub(lambda match: '"' + "\\" * match.group().count("\\(") + '"', program)
    interpolated = "".join(re.findall(r"\\\((.*?)\)", program))
    words = set(_WORD.findall(plain)) | set(_WORD.findall(interpolated))
    bounded = len(program) <= _MAX_LENGTH and words <= _CHEAP and plain.count(",") <= _MAX_COMMAS
    pipes = plain.count("|") + interpolated.count("|")
    repeated = "[" in plain and pipes > 0
    growth = 1.0
    if repeated or "(" in plain:
        # The worst that commas can do: spread evenly over the stages of a pipeline, each multiplying the one before.
        stages = pipes + 1
        growth = (1 + plain.count(",") / stages) ** stages
    products = plain.count("*") + interpolated.count("*")
    return _Shape(bounded, len(_ITERATORS.findall(plain)), growth, products, _digits(program))


def _digits(text: str) -> int:
    """How many digits the largest number in a text has before its point; exponents count as many."""
    return max((len(number) if number.isdecimal() else 99 for number in _NUMBER.findall(text)), default=0)


def is_cheap(program: str, text: str) -> bool:
    """Whether ``program`` on the JSON ``text`` is surely quick."""
    shape, size = _shape(program), len(text)
    if not shape.bounded:
        return False
    if shape.products and max(shape.largest, _digits(text)) * shape.products > 6:
        # `*` repeats a string: a large factor, perhaps from the data, would fill the memory.
        return False
    elements = max(2.0, size / 8)
    work = size + shape.growth * elements ** min(shape.iterations, 8)
    return work <= CHEAP_WORK
