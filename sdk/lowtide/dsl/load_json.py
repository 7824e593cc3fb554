"""JSON with positions.

JSON is nearly, but not quite, a part of YAML (``"\\ud83d\\ude00"`` is one character here and two bad ones there), so
that JSON documents are read by a scanner of their own, on the standard library's string scanner.
"""

from __future__ import annotations

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from lowtide.dsl.problem import Report
from lowtide.dsl.source import BadText, Source
from lowtide.dsl.tree import Mark, Node
from lowtide.model.base import JSON

__all__ = ["read_json"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_scan_string: Final[Any] = scanstring


def read_json(source: Source, report: Report, max_depth: int) -> Node:
    """The root of a JSON text. Raises :class:`BadText` where it is not JSON; duplicate keys go to ``report``."""
    scanner = _Scanner(source, report, max_depth)
    root = scanner.value(0)
    scanner.space()
    if scanner.at < len(source.text):
        raise scanner.wrong("there is text after the end of the JSON value", "remove it")
    return root


class _Scanner:
    def __init__(self, source: Source, report: Report, max_depth: int) -> None:
        self._source = source
        self._text = source.text
        self._report = report
        self._max_depth = max_depth
        self._line = 1
        self._line_start = 0
        self._counted = 0
        self.at = 0

    def space(self) -> str:
        """Skips white space and returns the next character, or ``""`` at the end."""
        found = _SPACE.match(self._text, self.at)
        self.at = found.end() if found else self.at
        return self._text[self.at : self.at + 1]

    def mark(self) -> Mark:
        """The place of the next character; lines are counted once, since places only move on."""
        breaks = self._text.count("\n", self._counted, self.at)
        if breaks:
            self._line += breaks
            self._line_start = self._text.rfind("\n", self._counted, self.at) + 1
        self._counted = self.at
        return self._line, self.at - self._line_start + 1

    def wrong(self, message: str, mend: str) -> BadText:
        return BadText(self._source.mark_at(self.at), message, mend)

    def value(self, depth: int) -> Node:
        if depth > self._max_depth:
            raise self.wrong("the document is nested too deeply", f"nest at most {self._max_depth} levels")
        start = self.space()
        mark = self.mark()
        if start == "{":
            return self._object(Node({}, mark), depth)
        if start == "[":
            return self._array(Node([], mark), depth)
        if start == '"':
            return Node(self._string(), mark, '"')
        return Node(self._word_or_number(), mark)

    def _string(self) -> str:
        try:
            text, self.at = _scan_string(self._text, self.at + 1, True)
        except JSONDecodeError as error:
            raise BadText(
                self._source.mark_at(min(error.pos, len(self._text))),
                f"this is not a JSON string ({error.msg})",
                'close it with " and write line breaks as \\n',
            ) from error
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self.wrong("the string before here has half of a surrogate pair", "write both halves, or neither")
        return str(text)

    def _word_or_number(self) -> JSON:
        for word, value in _WORDS.items():
            if self._text.startswith(word, self.at):
                self.at += len(word)
                return value
        found = _NUMBER.match(self._text, self.at)
        if found is None:
            raise self.wrong("a JSON value is expected here", 'write {…}, […], "text", a number, true, false or null')
        self.at = found.end()
        number: int | float = float(found.group()) if found.group(1) or found.group(2) else int(found.group())
        if number in (float("inf"), float("-inf")):
            raise self.wrong("the number before here is too large", "put it in quotes")
        return number

    def _object(self, node: Node, depth: int) -> Node:
        self.at += 1
        if self.space() == "}":
            self.at += 1
            return node
        while True:
            if self.space() != '"':
                raise self.wrong("a key is expected here", 'write "key": value, and no comma after the last one')
            key_mark = self.mark()
            key = self._string()
            if self.space() != ":":
                raise self.wrong(f"a colon is expected after the key '{key}'", f'write "{key}": value')
            self.at += 1
            self._put(node, key, key_mark, self.value(depth + 1))
            if self._ends("}"):
                return node

    def _array(self, node: Node, depth: int) -> Node:
        self.at += 1
        if self.space() == "]":
            self.at += 1
            return node
        while True:
            item = self.value(depth + 1)
            node.items.append(item)
            node.value.append(item.value)
            if self._ends("]"):
                return node

    def _ends(self, end: str) -> bool:
        following = self.space()
        if following not in (",", end) or not following:
            raise self.wrong(f"',' or '{end}' is expected here", "separate entries with commas and close the bracket")
        self.at += 1
        return following == end

    def _put(self, node: Node, key: str, mark: Mark, value: Node) -> None:
        if key in node.members:
            self._report.error(
                mark,
                f"the key '{key}' stands here twice, first in line {node.keys[key][0]}",
                "remove one of the two or rename it",
            )
            return
        node.members[key] = value
        node.keys[key] = mark
        node.value[key] = value.value
