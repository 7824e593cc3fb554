"""A jq program as tokens: just enough of its grammar to tell code from text (jq manual 1.8; ``src/lexer.l``)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["tokens"]

_TOKEN: Final = re.compile(
    r"""
    \s+
  | (?P<field>   \.[A-Za-z_]\w* )
  | (?P<variable>\$[A-Za-z_]\w* )
  | (?P<format>  @\w+ )
  | (?P<word>    [A-Za-z_]\w*(?:::[A-Za-z_]\w*)* )
  | (?P<number>  \.?\d+(?:\.\d*)?(?:[eE][+-]?\d+)? )
  | (?P<operator>\?//=?|//=|//|\.\.|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|[-+*/%|,:;.?=<>\[\]{}()] )
    """,
    re.VERBOSE | re.ASCII,
)
_TEXT: Final = re.compile(r'(?:[^"\\]|\\[^(])*', re.DOTALL)


def tokens(program: str) -> tuple[str, ...] | None:
    r"""The tokens of a program; ``None`` where it is not understood (comments are not).

    The text of a string is one token, ``"``; each interpolation in it is ``\(``, its own tokens, ``)``.
    """
    found: list[str] = []
    inside: list[int] = []  # for every open interpolation, how many parentheses are open in it
    at = 0
    while at < len(program):
        if program[at] == '"':
            found.append('"')
            at = _text(program, at + 1, found, inside)
        elif inside and program[at] == ")" and inside[-1] == 0:
            inside.pop()
            found.append(")")
            at = _text(program, at + 1, found, inside)
        else:
            match = _TOKEN.match(program, at)
            if match is None:
                return None
            at = match.end()
            token = match.group()
            if match.lastgroup is not None:
                found.append(token)
            if inside:
                inside[-1] += (token == "(") - (token == ")")
        if at < 0:
            return None
    return None if inside else tuple(found)


def _text(program: str, at: int, found: list[str], inside: list[int]) -> int:
    """The place after the text that begins at ``at``: behind its end or behind ``\\(``; -1 where it has no end."""
    match = _TEXT.match(program, at)
    end = match.end() if match is not None else at
    if program.startswith('"', end):
        return end + 1
    if program.startswith("\\(", end):
        found.append("\\(")
        inside.append(0)
        return end + 2
    return -1
