"""Text to nodes: YAML 1.2 (core schema) or JSON, every key and value with its line and column.

The grammar of YAML comes from libyaml's event parser, by way of PyYAML, because it reads a document of 2,000 tasks
in 60 ms where the pure Python parsers need a second. Only its events are used: what a scalar *means* is decided by
:mod:`lowtide.dsl.scalars`, so that none of YAML 1.1's surprises (``on``, ``no``, ``12:30:00``) get in. Where libyaml
is not built in, PyYAML's Python parser gives the same events, more slowly.

Refused with a place and a mend: duplicate keys, several documents, an empty document, a root that is no mapping,
merge keys, unknown tags, aliases to nothing or to themselves, and aliases that blow the document up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from lowtide.dsl.load_json import read_json
from lowtide.dsl.problem import Report
from lowtide.dsl.scalars import resolve, resolve_tagged
from lowtide.dsl.source import BadText, Source
from lowtide.dsl.tree import Mark, Node
from lowtide.dsl.yaml_errors import explain

__all__ = ["MAX_DEPTH", "MAX_WEIGHT", "load"]

MAX_DEPTH: Final = 100
MAX_WEIGHT: Final = 500_000
"""How many values a document may have with all its aliases expanded."""

_BEGIN: Final = "write a workflow: document: …, then do: …, each at the left margin"

_Loader: Final[Any] = getattr(yaml, "CLoader", yaml.Loader)


def load(source: Source, report: Report, begin: str = _BEGIN) -> Node | None:
    """The document's root mapping, or ``None`` when it cannot be read; mistakes go to ``report``.

    ``begin`` says how such a document begins, for whoever wrote something else.
    """
    try:
        root = _read(source, report)
    except BadText as error:
        report.error(error.mark, error.message, error.mend)
        return None
    except RecursionError:
        report.error((1, 1), "the document is nested too deeply", f"nest at most {MAX_DEPTH} levels")
        return None
    if root is None or root.value is None:
        report.error((1, 1), "the document is empty", begin)
        return None
    if not root.is_mapping:
        report.error(root.mark, "the document is not a mapping", begin)
        return None
    return root


def _read(source: Source, report: Report) -> Node | None:
    looks_like_json = source.text.lstrip()[:1] in ("{", "[")
    json_error: BadText | None = None
    if looks_like_json:
        try:
            return read_json(source, report, MAX_DEPTH)
        except BadText as error:
            json_error = error
    trial = Report(report.file)
    try:
        root = _Composer(source, trial).compose()
    except BadText:
        if json_error is not None and '"' in source.text:
            raise json_error from None
        raise
    for found in trial.problems:
        report.error((found.line, found.column), found.message, found.mend)
    return root


class _Open:
    """A collection whose end has not come yet; ``key`` is the key whose value comes next."""

    __slots__ = ("anchor", "key", "key_mark", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None
        self.key_mark: Mark = node.mark


class _Composer:
    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._anchors: dict[str, Node | None] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def compose(self) -> Node | None:
        documents = 0
        for event in self._events():
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._open(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise BadText(
                        self._source.mark_of(event.start_mark),
                        "a second document begins here",
                        "keep one workflow in a file; remove the '---'",
                    )
        return self._root

    def _events(self) -> Iterator[Any]:
        loader = None
        try:
            loader = _Loader(self._source.text)
            while loader.check_event():
                yield loader.get_event()
        except yaml.YAMLError as error:
            raise explain(error, self._source) from error
        finally:
            if loader is not None:
                loader.dispose()

    def _scalar(self, event: Any) -> None:
        mark = self._source.mark_of(event.start_mark)
        style = event.style or ""
        text: str = event.value
        tag: str | None = event.tag
        try:
            plain = resolve(text) if tag is None and event.implicit[0] else text
            value = plain if tag is None else resolve_tagged(tag, text)
        except ValueError as error:
            self._report.error(mark, str(error), "put it in quotes to make it text")
            value = text
        self._add(Node(value, mark, style), text, event.anchor, plain=event.implicit[0])

    def _open(self, event: Any, value: Any) -> None:
        mark = self._source.mark_of(event.start_mark)
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._report.error(mark, f"the tag {event.tag} is unknown", "remove the tag")
        if self._stack and self._stack[-1].node.is_mapping and self._stack[-1].key is None:
            raise BadText(mark, "a key is not text", "write a plain word as the key, or put it in quotes")
        if len(self._stack) >= MAX_DEPTH:
            raise BadText(mark, "the document is nested too deeply", f"nest at most {MAX_DEPTH} levels")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(Node(value, mark), event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.node.weight > MAX_WEIGHT:
            raise BadText(
                done.node.mark,
                "the document holds too many values, counting what its aliases repeat",
                f"keep it below {MAX_WEIGHT:,}",
            )
        if done.node.height + len(self._stack) > MAX_DEPTH:
            raise BadText(done.node.mark, "the aliases nest too deeply", f"nest at most {MAX_DEPTH} levels")
        self._add(done.node, None, done.anchor, plain=False)

    def _alias(self, event: Any) -> None:
        mark = self._source.mark_of(event.start_mark)
        name = event.anchor
        if name not in self._anchors:
            raise BadText(mark, f"there is no anchor &{name} before this alias", f"define &{name} above, or quote it")
        target = self._anchors[name]
        if target is None:
            raise BadText(mark, f"the alias *{name} stands inside its own anchor", "a value cannot contain itself")
        self._add(target, target.text, None, plain=False, mark=mark)

    def _add(self, node: Node, text: str | None, anchor: str | None, *, plain: bool, mark: Mark | None = None) -> None:
        """Puts a finished value where it belongs. ``text`` is its text when it may be a key."""
        if anchor:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if parent.node.is_list:
            parent.node.items.append(node)
            parent.node.value.append(node.value)
        elif parent.key is None:
            parent.key_mark = mark or node.mark
            parent.key = self._key(node, text, parent.key_mark, plain)
            return
        else:
            self._put(parent, parent.key, node)
            parent.key = None
        parent.node.weight += node.weight
        if node.height >= parent.node.height:
            parent.node.height = node.height + 1

    def _key(self, node: Node, text: str | None, mark: Mark, plain: bool) -> str:
        if text is None:
            raise BadText(mark, "a key is not text", "write a plain word as the key, or put it in quotes")
        if plain and text == "<<":
            self._report.error(mark, "YAML 1.2 has no merge keys (<<)", "repeat the keys, or refer to use.*")
        if node.value is None:
            self._report.error(mark, "a key is missing before ':'", "write the key, or quote it if it is meant so")
        return text

    def _put(self, parent: _Open, key: str, node: Node) -> None:
        owner = parent.node
        if key in owner.members:
            first = owner.keys[key]
            self._report.error(
                parent.key_mark,
                f"the key '{key}' stands here twice, first in line {first[0]}",
                "remove one of the two or rename it",
            )
            return
        owner.members[key] = node
        owner.keys[key] = parent.key_mark
        owner.value[key] = node.value
