"""Just enough of jq's lexical grammar to find where an expression ends and which variables it names.

jq itself judges the syntax (:mod:`lowtide.dsl.lint.expressions`); this module answers what jq cannot: where the
``}`` of a ``${ … }`` is, and which ``$variables`` are used without being bound by the expression itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Lexed", "lex"]

_CODE: Final = re.compile(
    r"""(?P<comment>\#[^\n\r]*)
      | (?P<quote>")
      | (?P<variable>\$\s*[A-Za-z_]\w*(?:::\w+)*)
      | (?P<field>\.[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_]\w*(?:::\w+)*)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<pipe>\|)
      | (?P<colon>:)
      | (?P<other>[^\s"#$.A-Za-z_()\[\]{}|:]+|\S)
      | (?P<space>\s+)""",
    re.VERBOSE | re.ASCII,
)
_STRING: Final = re.compile(r'[^"\\]+|\\\(|\\.|"|\\', re.DOTALL)
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_IN_STRING: Final = '"('


@dataclass(slots=True)
class Lexed:
    """``end`` is the offset after the expression (of its closing ``}`` when embedded, -1 when there is none).

    ``variables`` are the names used, with their offsets; ``bound`` those that the expression binds itself.
    ``words`` are functions and keywords, ``commas`` those outside of brackets: each makes one more output.
    ``trouble`` is the offset and the nature of a bracket or quote without its partner.
    """

    end: int = -1
    variables: list[tuple[str, int]] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    words: list[tuple[str, int]] = field(default_factory=list)
    commas: list[int] = field(default_factory=list)
    trouble: tuple[int, str] | None = None

    @property
    def free(self) -> list[tuple[str, int]]:
        return [(name, offset) for name, offset in self.variables if name not in self.bound]


def lex(text: str, start: int = 0, *, embedded: bool = False) -> Lexed:
    """Reads an expression from ``start``: up to the ``}`` that closes it when ``embedded``, else to the end."""
    found = Lexed()
    open_: list[tuple[str, int]] = []
    binding = ""
    at = start
    while at < len(text):
        match = _CODE.match(text, at)
        if match is None:  # cannot happen: `other` and `space` take anything
            break
        kind, token = match.lastgroup, match.group()
        begin, at = at, match.end()
        if kind == "quote":
            at = _string(text, at, begin, open_)
            if at < 0:
                found.trouble = (begin, 'a string is not closed with "')
                return found
        elif kind == "variable":
            name = token[1:].strip()
            (found.bound.add(name) if binding else found.variables.append((name, begin)))
            binding = "" if binding == "label" else binding
        elif kind == "word":
            binding = token if token in ("as", "def", "label") and not _is_key(text, at) else binding
            found.words.append((token, begin))
        elif kind == "open":
            open_.append((_PAIRS[token], begin))
            binding = "" if token == "(" and binding == "as" else binding
        elif kind == "other" and not open_ and "," in token:
            found.commas.append(begin + token.index(","))
        elif kind == "pipe" or (kind == "colon" and binding == "def"):
            binding = ""
        elif kind == "close":
            if embedded and token == "}" and not open_:
                found.end = begin
                return found
            at = _closed(text, at, begin, token, open_, found)
            if found.trouble is not None:
                return found
    if open_:
        closer, begin = open_[-1]
        found.trouble = (begin, f"'{closer[-1]}' is missing for the '{text[begin]}' here")
    elif not embedded:
        found.end = len(text)
    return found


def _string(text: str, at: int, begin: int, open_: list[tuple[str, int]]) -> int:
    """Reads a string's text up to its end or to ``\\(``, which opens code again; -1 when it is not closed."""
    while at < len(text):
        match = _STRING.match(text, at)
        if match is None:
            return -1
        at = match.end()
        if match.group() == '"':
            return at
        if match.group() == "\\(":
            open_.append((_IN_STRING, begin))
            return at
    return -1


def _closed(text: str, at: int, begin: int, token: str, open_: list[tuple[str, int]], found: Lexed) -> int:
    expected, opened = open_.pop() if open_ else ("", begin)
    if expected == _IN_STRING and token == ")":
        after = _string(text, at, opened, open_)
        if after < 0:
            found.trouble = (opened, 'a string is not closed with "')
        return after
    if expected != token:
        found.trouble = (
            begin,
            f"the '{token}' here closes nothing" if not expected else f"'{token}' stands here too early",
        )
    return at


def _is_key(text: str, at: int) -> bool:
    return text[at:].lstrip()[:1] == ":"
