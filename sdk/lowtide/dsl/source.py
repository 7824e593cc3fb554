"""The text of a document: decoding, and the way from a place inside a scalar's value back to the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, Final

from lowtide.dsl.tree import Mark, Node

__all__ = ["MAX_BYTES", "BadText", "Source"]

MAX_BYTES: Final = 4 * 1024 * 1024

_BREAK: Final = re.compile("\r\n|[\n\r]")
_ODD_BREAK: Final = re.compile("[\x85\u2028\u2029]")
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadText(Exception):
    """The text cannot be read at all."""

    def __init__(self, mark: Mark, message: str, mend: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.mend = mend


class Source:
    """A document's text. Raises :class:`BadText` for bytes that are no text or characters that YAML forbids."""

    def __init__(self, text: str | bytes) -> None:
        if len(text) > MAX_BYTES:
            raise BadText((1, 1), f"the document is larger than {MAX_BYTES // 1024 // 1024} MiB", "split it up")
        decoded = _decoded(text) if isinstance(text, bytes) else text
        self.text = decoded.removeprefix("\ufeff")
        found = _FORBIDDEN.search(self.text)
        if found is not None:
            raise BadText(
                _mark_at(self.text, found.start()),
                f"the character U+{ord(found.group()):04X} is not allowed in a document",
                r'remove it, or write it as an escape such as "\u0007" in double quotes',
            )
        self._lines: list[str] | None = None
        self._starts: list[int] | None = None
        self._has_odd_breaks = _ODD_BREAK.search(self.text) is not None

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            self._lines = _BREAK.split(self.text)
        return self._lines

    def mark_at(self, offset: int) -> Mark:
        """The line and column of a character of the text."""
        if self._starts is None:
            self._starts = [0, *(found.end() for found in _BREAK.finditer(self.text))]
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def mark_of(self, place: Any) -> Mark:
        """A place as libyaml gives it, which counts three characters more as the ends of lines than editors do, and
        may be past the end of the text."""
        if self._has_odd_breaks or place.index >= len(self.text):
            return self.mark_at(min(place.index, len(self.text)))
        return place.line + 1, place.column + 1

    def locate(self, node: Node, offset: int) -> Mark:
        """Where character ``offset`` of a string's value stands in the text.

        Exact for plain, quoted and literal (``|``) scalars without folded lines or escapes before the place; for
        others the nearest place that is known.
        """
        line, column = node.mark
        value = node.text or ""
        if node.style == "|":
            return self._locate_literal(line, value, offset)
        if node.style == ">" or line > len(self.lines):
            return node.mark
        quote = len(node.style)
        if node.style == "'":
            offset += value.count("'", 0, offset)
        elif node.style == '"':
            offset += sum(value.count(mark, 0, offset) for mark in '"\\\n\t')
        if column + quote + offset > len(self.lines[line - 1]) + 1:
            return node.mark
        return line, column + quote + offset

    def _locate_literal(self, line: int, value: str, offset: int) -> Mark:
        start = value.rfind("\n", 0, offset) + 1
        end = value.find("\n", offset)
        length = (len(value) if end < 0 else end) - start
        number = line + 1 + value.count("\n", 0, offset)
        if number > len(self.lines):
            return line, 1
        indent = len(self.lines[number - 1]) - length if length else 0
        return number, max(indent, 0) + offset - start + 1


def _decoded(raw: bytes) -> str:
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode(encoding, errors="ignore")
        raise BadText(
            _mark_at(before, len(before)),
            f"the byte 0x{raw[error.start]:02X} is not {encoding.removesuffix('-sig').upper()} text",
            "save the file as UTF-8",
        ) from error


def _mark_at(text: str, offset: int) -> Mark:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
