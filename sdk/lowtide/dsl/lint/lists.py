"""All lists of tasks in a document, each a scope of names of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lowtide.dsl.keywords import keyword_of
from lowtide.dsl.tree import Entry, Node

__all__ = ["Listed", "lists_of", "tasks_of"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One list of tasks. ``kind`` is the key it stands below (``do``, ``try``, ``branches`` …), ``owner`` whose it is.

    A function of ``use.functions`` is a list of one, of kind ``function``.
    """

    kind: str
    owner: str
    node: Node
    entries: list[Entry] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self.entries]


_BELOW = (
    ("do",),
    ("try",),
    ("catch", "do"),
    ("fork", "branches"),
    ("foreach", "do"),
    ("with", "subscription", "foreach", "do"),
)


def lists_of(root: Node) -> Iterator[Listed]:
    """The document's own list, those of its functions and extensions, and all below them; outer ones first."""
    yield from _list(root.get("do"), "do", "")
    functions = root.get("use", "functions")
    for name, node in functions.members.items() if functions is not None else ():
        yield Listed("function", name, node, [Entry(0, name, node, functions.keys[name])] if functions else [])
        yield from _below(node, name)
    extensions = root.get("use", "extensions")
    for entry in extensions.entries() if extensions is not None else ():
        yield from _list(entry.node.get("before"), "before", entry.name)
        yield from _list(entry.node.get("after"), "after", entry.name)


def _list(node: Node | None, kind: str, owner: str) -> Iterator[Listed]:
    if node is None or not node.is_list:
        return
    listed = Listed(kind, owner, node, list(node.entries()))
    yield listed
    for entry in listed.entries:
        yield from _below(entry.node, entry.name)


def _below(task: Node, name: str) -> Iterator[Listed]:
    for path in _BELOW:
        yield from _list(task.get(*path), path[-1], name)


def tasks_of(lists: list[Listed], keyword: str) -> Iterator[Entry]:
    """All tasks of one kind."""
    for listed in lists:
        for entry in listed.entries:
            if keyword_of(entry.node.value) == keyword:
                yield entry
