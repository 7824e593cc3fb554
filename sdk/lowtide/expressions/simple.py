"""Small programs without jq: paths, constants, comparisons, whole-number arithmetic, ``and or //``, collections.

Most expressions of a workflow are of this kind, and jq is costly for them: their whole input is written as JSON, parsed
by libjq, and what they give comes back the same way. A program that is understood here becomes a Python function. It
gives what jq gives, to the last digit and in the same order of keys, or raises :class:`Unsure`, and jq is asked: so it
does for every error, whose text is thus jq's own, and wherever jq's numbers (doubles) could differ from ours.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from lowtide.model.base import JSON

__all__ = ["Exactness", "Simple", "Unsure", "simple"]

Simple: TypeAlias = Callable[[JSON, dict[str, JSON]], JSON]
"""Gives the one output on a value, with the variables by name, to be checked by :class:`Exactness`. Raises
:class:`Unsure`."""

_EXACT: Final = 2**53
"""Whole numbers up to here are the same as doubles."""

_LONGEST: Final = 500
_LARGE: Final = 64
_REMEMBERED: Final = 8
_TOKEN: Final = re.compile(
    r"""
    \s*(?: (?P<field>\.[A-Za-z_]\w*) | \$(?P<variable>[A-Za-z_]\w*) | (?P<word>[A-Za-z_]\w*)
      | (?P<number>(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?)(?![\w.]) | "(?P<text>[^"\\\x00-\x1f]*)"
      | (?P<operator>\?//|//=?|==|!=|<=|>=|\.\.|\|=|\+=|-=|\*=|[-+*|<>.?()\[\]{},:]) )
    """,
    re.VERBOSE | re.ASCII,
)
_CONSTANTS: Final[dict[str, JSON]] = {"null": None, "true": True, "false": False}
_RANKS: Final[dict[type, int]] = {type(None): 0, bool: 1, int: 2, float: 2, str: 3, list: 4, dict: 5}
"""The order in which jq sorts values of different types; of the two booleans ``false`` is the smaller."""

_COMPARE: Final[dict[str, Callable[[JSON, JSON], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Unsure(Exception):
    """Only jq knows."""


@lru_cache(maxsize=4096)
def simple(program: str) -> Simple | None:
    """The function of a program; ``None`` where it is not of the small kind."""
    found = _tokens(program)
    if not found:
        return None
    try:
        parser = _Parser(found)
        inner = parser.pipe()
        if parser.at < len(found):
            return None
    except (Unsure, RecursionError):
        return None

    needed = {text for kind, text in found if kind == "variable"}

    def function(value: JSON, variables: dict[str, JSON]) -> JSON:
        if needed and not needed <= variables.keys():
            raise Unsure
        return inner(value, variables)

    return function


def _tokens(program: str) -> list[tuple[str, str]]:
    """Kind and text of each token; none at all where one is not known."""
    text, found, at = program.rstrip(), [], 0
    if len(text) > _LONGEST:
        return []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            return []
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class Exactness:
    """Tells values that come out of jq as they went in. Remembers the last large collections that it saw, since a
    workflow hands the same ones from task to task; JSON values are never changed in place."""

    def __init__(self) -> None:
        self._known: tuple[JSON, ...] = ()

    def check(self, whole: JSON) -> JSON:
        """``whole`` itself. Raises :class:`Unsure` where jq would change a number in it."""
        known, large = self._known, []
        left: list[Iterable[JSON]] = [(whole,)]
        while left:
            for value in left.pop():
                kind = type(value)
                if kind is str:
                    continue
                if kind is int:
                    if not -_EXACT <= value <= _EXACT:
                        raise Unsure
                elif kind is float:
                    if not -_EXACT <= value <= _EXACT or value.is_integer():
                        raise Unsure
                elif kind is dict or kind is list:
                    if len(value) >= _LARGE:
                        large.append(value)
                        if any(value is one for one in known):
                            continue
                    left.append(value if kind is list else value.values())
                elif value is not None and kind is not bool:
                    raise Unsure
        if large:
            self._known = tuple(large[:_REMEMBERED])
        return whole


class _Parser:
    """Recursive descent over jq's grammar, from what binds weakest. Raises :class:`Unsure` on all it does not know."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self._found = [*found, ("end", "")]
        self.at = 0

    def _take(self, *texts: str) -> str | None:
        kind, text = self._found[self.at]
        if text in texts and kind in {"operator", "word"}:
            self.at += 1
            return text
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise Unsure

    def pipe(self) -> Simple:
        left = self._alternative()
        if self._take("|") is None:
            return left
        right = self.pipe()
        return lambda value, variables: right(left(value, variables), variables)

    def _alternative(self) -> Simple:
        left = self._either()
        if self._take("//") is None:
            return left
        right = self._alternative()

        def otherwise(value: JSON, variables: dict[str, JSON]) -> JSON:
            found = left(value, variables)
            return right(value, variables) if _not(found, variables) else found

        return otherwise

    def _either(self) -> Simple:
        left = self._both()
        while self._take("or") is not None:
            left = _or(left, self._both())
        return left

    def _both(self) -> Simple:
        left = self._comparison()
        while self._take("and") is not None:
            left = _and(left, self._comparison())
        return left

    def _comparison(self) -> Simple:
        left = self._sum()
        sign = self._take(*_COMPARE)
        if sign is None:
            return left
        right, compare = self._sum(), _COMPARE[sign]
        return lambda value, variables: compare(*_comparable(left(value, variables), right(value, variables)))

    def _sum(self) -> Simple:
        left = self._product()
        while (sign := self._take("+", "-")) is not None:
            left = _binary(_plus if sign == "+" else _minus, left, self._product())
        return left

    def _product(self) -> Simple:
        left = self._term()
        while self._take("*") is not None:
            left = _binary(_times, left, self._term())
        return left

    def _term(self) -> Simple:
        kind, text = self._found[self.at]
        self.at += 1
        match kind, text:
            case "field", _:
                found = _member(_identity, text[1:])
            case "operator", ".":
                found = _identity
            case "operator", "(":
                found = self.pipe()
                self._need(")")
            case "operator", "[":
                found = self._array()
            case "operator", "{":
                found = self._object()
            case "variable", _:
                found = _variable(text)
            case "number", _:
                found = _constant(_number(text))
            case "text", _:
                found = _constant(text)
            case "word", "not":
                found = _not
            case "word", "length":
                found = _length
            case "word", _ if text in _CONSTANTS:
                found = _constant(_CONSTANTS[text])
            case _:
                raise Unsure
        return self._postfix(found)

    def _postfix(self, found: Simple) -> Simple:
        while True:
            kind, text = self._found[self.at]
            if kind == "field":
                self.at += 1
                found = _member(found, text[1:])
            elif self._take("[") is not None:
                kind, text = self._found[self.at]
                self.at += 1
                if kind == "text":
                    found = _member(found, text)
                elif kind == "number" and text.isdecimal():
                    found = _item(found, int(text))
                else:
                    raise Unsure
                self._need("]")
            elif self._take("?") is None:  # which only says what becomes of errors, and those are jq's
                return found

    def _array(self) -> Simple:
        parts: list[Simple] = []
        while self._take("]") is None:
            if parts:
                self._need(",")
            parts.append(self._alternative())
        return lambda value, variables: [part(value, variables) for part in parts]

    def _object(self) -> Simple:
        members: dict[str, Simple] = {}
        first = True
        while self._take("}") is None:
            if not first:
                self._need(",")
            first = False
            kind, name = self._found[self.at]
            self.at += 1
            if kind not in {"word", "text", "variable"} or name in members:
                raise Unsure
            if kind != "variable" and self._take(":") is not None:
                members[name] = self._alternative()
            else:
                members[name] = _variable(name) if kind == "variable" else _member(_identity, name)
        return lambda value, variables: {name: member(value, variables) for name, member in members.items()}


# ---------------------------------------------------------------- what programs are made of


def _identity(value: JSON, variables: dict[str, JSON]) -> JSON:
    return value


def _constant(constant: JSON) -> Simple:
    return lambda value, variables: constant


def _number(text: str) -> JSON:
    return float(text) if "." in text else int(text)


def _variable(name: str) -> Simple:
    return lambda value, variables: variables[name]


def _member(inner: Simple, name: str) -> Simple:
    def member(value: JSON, variables: dict[str, JSON]) -> JSON:
        found = inner(value, variables)
        if type(found) is dict:
            return found.get(name)
        if found is None:
            return None
        raise Unsure

    return member


def _item(inner: Simple, index: int) -> Simple:
    def item(value: JSON, variables: dict[str, JSON]) -> JSON:
        found = inner(value, variables)
        if type(found) is list:
            return found[index] if index < len(found) else None
        if found is None:
            return None
        raise Unsure

    return item


def _not(value: JSON, variables: dict[str, JSON]) -> bool:
    if type(value) is float and value != value:
        raise Unsure  # not a number is null where it is written as JSON
    return value is None or value is False


def _length(value: JSON, variables: dict[str, JSON]) -> int:
    if type(value) in {str, list, dict}:
        return len(value)
    raise Unsure


def _or(left: Simple, right: Simple) -> Simple:
    return lambda value, variables: not (_not(left(value, variables), {}) and _not(right(value, variables), {}))


def _and(left: Simple, right: Simple) -> Simple:
    return lambda value, variables: not (_not(left(value, variables), {}) or _not(right(value, variables), {}))


def _binary(operation: Callable[[JSON, JSON], JSON], left: Simple, right: Simple) -> Simple:
    return lambda value, variables: operation(left(value, variables), right(value, variables))


def _comparable(left: JSON, right: JSON) -> tuple[JSON, JSON]:
    """Two values that Python compares as jq compares ``left`` and ``right``."""
    ranks = _RANKS[type(left)], _RANKS[type(right)]
    if ranks[0] != ranks[1]:
        return ranks
    if left is None:
        return 0, 0
    if ranks[0] > _RANKS[str]:
        raise Unsure
    if ranks[0] == _RANKS[int]:
        _check_comparable(left)
        _check_comparable(right)
    return left, right


def _check_comparable(number: float) -> None:
    if not -_EXACT <= number <= _EXACT:
        raise Unsure


def _plus(left: JSON, right: JSON) -> JSON:
    if left is None:
        return right
    if right is None:
        return left
    kind = type(left)
    if kind is not type(right):
        raise Unsure
    if kind is int:
        return _whole(left + right, left, right)
    if kind is dict:
        return {**left, **right}
    if kind is str or kind is list:
        return left + right
    raise Unsure


def _minus(left: JSON, right: JSON) -> JSON:
    if type(left) is int and type(right) is int:
        return _whole(left - right, left, right)
    raise Unsure


def _times(left: JSON, right: JSON) -> JSON:
    if type(left) is int and type(right) is int and ((left and right) or left >= 0 <= right):
        return _whole(left * right, left, right)
    raise Unsure


def _whole(*numbers: int) -> int:
    """The first of them, where each is the same as a double."""
    for number in numbers:
        if not -_EXACT <= number <= _EXACT:
            raise Unsure
    return numbers[0]
