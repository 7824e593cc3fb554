"""Which programs may run in this process: those whose work is bounded by a small estimate (decision A-20).

Once libjq runs, nothing in this process can stop it, and where memory ends it aborts the process. So the estimate is
crude and pessimistic: what is not understood, or can recurse, count without input, fold, or match regular expressions
is never cheap; for the rest, the input's size to the power of nested iterations, times what its operators can copy.
"""

from __future__ import annotations

import re
from bisect import bisect
from functools import lru_cache
from itertools import pairwise
from typing import Final

from lowtide.expressions.tokens import tokens
from lowtide.model.base import Value

__all__ = ["LARGEST", "Cost", "is_cheap"]

LARGEST: Final = 128 * 1024
"""Bytes of JSON that a cheap program may read: parsing alone takes ten to twenty milliseconds."""

_WORK: Final = 200_000
"""Elements that a cheap program may touch: about a tenth of a second of jq, on a slow machine half of one."""

_MEMORY: Final = 32_000_000
"""Bytes that a cheap program may fill, a quarter of it with what it gives."""

_CHEAP: Final = frozenset(
    """
    abs add all and any arrays as ascii ascii_downcase ascii_upcase booleans catch ceil contains del delpaths
    elif else empty end endswith error explode false first flatten floor from_entries fromdate
    fromdateiso8601 fromjson getpath group_by has if implode in index indices infinite inside isempty isinfinite
    isnan iterables join keys keys_unsorted last length ltrim ltrimstr map map_values max max_by min min_by nan
    not now nth null nulls numbers objects or path paths pick reverse rindex round rtrim rtrimstr scalars
    select setpath significand sort sort_by split sqrt startswith strings then to_entries toarray todate
    todateiso8601 tojson tonumber tostring trim true try type unique unique_by utf8bytelength values
    with_entries
    """.split()  # noqa: SIM905 - a list of a hundred words reads better as text
)
_FORMATS: Final = frozenset({"@text", "@json", "@base64", "@base64d", "@uri", "@html", "@csv", "@tsv", "@sh"})
_GENERATORS: Final = {"..": 2, "paths": 2}
"""Give many outputs, for each of which the rest of the pipeline runs; these two also repeat what is nested."""
_LOOPS: Final[dict[str, float]] = (
    {"join": 1.5}
    | dict.fromkeys(
        """
    add all any ascii_downcase ascii_upcase explode first flatten from_entries fromjson group_by has implode in isempty
    keys keys_unsorted last map map_values max max_by min min_by reverse sort sort_by split to_entries tojson tostring
    unique unique_by with_entries
    """.split(),  # noqa: SIM905
        1.0,
    )
    | dict.fromkeys(("contains", "inside", "index", "indices", "rindex", "del", "delpaths", "pick", "-"), 2.0)
)
"""Go through their input once, or once per element; a joined text grows while it is copied."""
_COPIES: Final = dict.fromkeys((",", "+", "+=", "\\(", "tojson", "tostring", "explode", "split", "join"), 1)
_UPDATES: Final = frozenset({"=", "|=", "+=", "-=", "*=", "/=", "%=", "//="})
_NUMBERS: Final = frozenset({"tonumber", "fromjson", "now", "infinite", "fromdate", "fromdateiso8601", "explode"})
"""Make numbers that stand neither in the program nor in its input."""
_STRINGS: Final = frozenset(
    {"tojson", "tostring", "join", "implode", "todate", "todateiso8601", "add", "\\(", "+", "+="}
)
"""Make texts that stand neither in the program nor in its input."""
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER: Final = re.compile(r"(\d+)(?:\.\d+)?(?:[eE]\+?(\d+))?")
_MAX_LENGTH: Final = 2_000
_SEPARATOR: Final = 20


class _Shape(Value, frozen=True):
    """``power``: of the input's size. ``repeats``: a whole value may be given once per iteration. ``growth``: how many
    times the input may be copied. ``sized``: how many operators let a number say how much memory is filled; ``digits``
    and ``longest``: of the numbers and texts in the program."""

    power: float
    repeats: bool
    growth: float
    sized: int
    digits: int
    longest: int
    makes_text: bool


@lru_cache(maxsize=4096)
def _shape(program: str) -> _Shape | None:
    """``None`` where the program may do anything."""
    found = tokens(program) if len(program) <= _MAX_LENGTH else None
    if found is None or not _is_bounded(found):
        return None
    copies = sum(_COPIES.get(token, 2 if token.startswith("@") else 0) for token in found)
    # The worst that copying can do: spread evenly over the stages of a pipeline, each multiplying the one before.
    stages = 1 + sum(token in {"|", "catch"} or token in _UPDATES for token in found)
    sized = found.count("*") + found.count("*=") + sum(token in {"setpath", "pick"} for token in found)
    if _UPDATES & set(found) and _has_index(found):
        sized += 1
    if sized and not _keeps_numbers(found):
        return None
    digits, longest = _measure(program)
    extra = sum(token in {"+", "-", "+=", "-=", "add"} for token in found)
    return _Shape(
        power=_power(found),
        repeats=any(token[0] == "$" or token in {"..", "paths"} for token in found)
        or ("[", "]") in pairwise(found)
        or ("join" in found and longest > _SEPARATOR),
        growth=(1 + copies / stages) ** stages,
        sized=sized,
        digits=digits + extra,
        longest=longest,
        makes_text=bool(_STRINGS & set(found)) or any(token.startswith("@") for token in found),
    )


def _is_bounded(found: tuple[str, ...]) -> bool:
    opened: list[str] = []
    for index, token in enumerate(found):
        if token in {"(", "[", "{", "\\("}:
            opened.append(token)
        elif token in {")", "]", "}"} and opened:
            opened.pop()
        elif token[0] == "@" and token not in _FORMATS:
            return False
        elif (token[0].isalpha() or token[0] == "_") and token not in _CHEAP:
            key = opened[-1:] == ["{"] and found[index - 1] in {"{", ","}
            if not key or found[index + 1 : index + 2] not in [(":",), (",",), ("}",)]:
                return False
        elif token.startswith("?//") or (token == "join" and found[index + 1 : index + 4] != ("(", '"', ")")):
            return False
    return True


def _power(found: tuple[str, ...]) -> float:
    """How often iterations may be nested: generators along a pipeline, loops in the arguments of loops."""
    generators = sum(_GENERATORS.get(token, 0) for token in found)
    generators += sum(pair == ("[", "]") for pair in pairwise(found))
    deepest, opened = 0.0, [0.0]
    for index, token in enumerate(found):
        own = 0 if _is_plain_minus(found, index) else _LOOPS.get(token, 1 if token in _UPDATES else 0)
        deepest = max(deepest, opened[-1] + own)
        if token in {"(", "\\(", "[", "{"}:
            called = _LOOPS.get(found[index - 1], 0) if token == "(" and index else 0
            opened.append(opened[-1] + called)
        elif token in {")", "]", "}"} and len(opened) > 1:
            opened.pop()
    return generators + deepest


def _is_plain_minus(found: tuple[str, ...], index: int) -> bool:
    """Only the difference of two arrays is costly."""
    return found[index] == "-" and found[index + 1 : index + 2] != () and found[index + 1][0].isdecimal()


def _has_index(found: tuple[str, ...]) -> bool:
    """Whether a place in an array may be named by a number: an update there makes the array as long."""
    return any(left == "[" and right not in {"]", '"'} for left, right in pairwise(found))


def _keeps_numbers(found: tuple[str, ...]) -> bool:
    """Whether all numbers are about as large as those of the program and its input."""
    if _NUMBERS & set(found) or "/=" in found:
        return False
    divisors = [after for token, after in zip(found, (*found[1:], ""), strict=True) if token == "/"]
    return all(divisor.isdecimal() and int(divisor) > 0 for divisor in divisors)


def _measure(text: str) -> tuple[int, int]:
    """Digits before the point of the largest number that stands outside of texts, and the longest text's length."""
    texts = [len(found) for found in _TEXT.findall(text)]
    numbers = _NUMBER.findall(_TEXT.sub("", text))
    digits = max((len(whole) + min(int(exponent or 0), 400) for whole, exponent in numbers), default=0)
    return digits, max(texts, default=0)


@lru_cache(maxsize=4096)
def _longest_input(program: str) -> int:
    """How long an input may be, as far as its length alone decides; the longer, the costlier."""
    shape = _shape(program)
    if shape is None:
        return -1
    return bisect(range(LARGEST + 1), False, key=lambda size: not _fits(shape, program, size)) - 1


def _iterations(shape: _Shape, size: int) -> float:
    return float(max(2.0, size / 3) ** min(shape.power, 12))


def _copied(shape: _Shape, program: str, size: int) -> float:
    return shape.growth * (size + len(program)) * (_iterations(shape, size) if shape.repeats else 1)


def _fits(shape: _Shape, program: str, size: int) -> bool:
    return _copied(shape, program, size) <= _MEMORY / 4 and shape.growth * _iterations(shape, size) <= _WORK


def is_cheap(program: str, text: str) -> bool:
    """Whether ``program`` on the JSON ``text`` is surely quick, and small."""
    if len(text) > _longest_input(program):
        return False
    shape = _shape(program)
    assert shape is not None
    if not shape.sized:
        return True
    copied = _copied(shape, program, len(text))
    digits, longest = _measure(text)
    filled = copied if shape.makes_text else max(16, longest, shape.longest)
    return bool(filled * 10.0 ** (min(max(digits, shape.digits), 99) * shape.sized) <= _MEMORY)


class Cost:
    """What one program may cost. ``length``: up to which every JSON text is cheap, whatever it says; -1: none is."""

    def __init__(self, program: str) -> None:
        shape = _shape(program)
        self.length = -1 if shape is None or shape.sized else _longest_input(program)
        self._program = program

    def is_cheap(self, text: str) -> bool:
        """As the function says."""
        return is_cheap(self._program, text)
