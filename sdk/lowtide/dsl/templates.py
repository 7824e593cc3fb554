"""Which parts of a string are expressions (decision A-2).

A field whose type is an expression takes ``${ … }`` or bare jq. Anywhere else a string that is one whole ``${ … }``
is evaluated, text with ``${ … }`` in its middle is interpolated, and all other text is itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lowtide.dsl.jqlex import lex

__all__ = ["MARKER", "Piece", "split", "whole"]

MARKER: Final = "${"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a string: ``source`` is jq when ``offset`` is set (where it begins), else literal text."""

    source: str
    offset: int | None = None
    unclosed: bool = False


def whole(text: str) -> Piece | None:
    """The expression that the whole text is, or ``None`` when it is anything else."""
    stripped = text.strip()
    if not stripped.startswith(MARKER):
        return None
    start = text.index(MARKER) + len(MARKER)
    end = lex(text, start, embedded=True).end
    if end < 0 or text[end + 1 :].strip():
        return None
    return _piece(text, start, end)


def split(text: str) -> list[Piece]:
    """The text's literal parts and expressions in order; a ``${`` that is never closed is marked."""
    pieces: list[Piece] = []
    at = 0
    while (found := text.find(MARKER, at)) >= 0:
        end = lex(text, found + len(MARKER), embedded=True).end
        if end < 0:
            return [*pieces, *_literal(text[at:found]), Piece(text[found:], found, unclosed=True)]
        pieces += [*_literal(text[at:found]), _piece(text, found + len(MARKER), end)]
        at = end + 1
    return [*pieces, *_literal(text[at:])]


def _literal(text: str) -> list[Piece]:
    return [Piece(text)] if text else []


def _piece(text: str, start: int, end: int) -> Piece:
    inner = text[start:end]
    source = inner.strip()
    return Piece(source, start + len(inner) - len(inner.lstrip()))
