"""A document as nodes: plain JSON values, each with the place where it stands in the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from lowtide.model.base import JSON

__all__ = ["Entry", "Mark", "Node"]

Mark: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""


class Node:
    """One value. ``members`` is set on mappings (with the marks of their ``keys``), ``items`` on sequences.

    ``value`` is the same thing as plain JSON and shares structure with the children's values. ``style`` is how a
    scalar was written: ``""`` plain, ``'``, ``"``, ``|`` or ``>``. ``weight`` counts the values below and
    including this one with every alias expanded, ``height`` the levels. Not changed after loading.
    """

    __slots__ = ("height", "items", "keys", "mark", "members", "style", "value", "weight")

    def __init__(self, value: JSON, mark: Mark, style: str = "") -> None:
        self.value = value
        self.mark = mark
        self.style = style
        self.weight = 1
        self.height = 1
        self.members: dict[str, Node] = {} if isinstance(value, dict) else _NO_MEMBERS
        self.keys: dict[str, Mark] = {} if isinstance(value, dict) else _NO_KEYS
        self.items: list[Node] = [] if isinstance(value, list) else _NO_ITEMS

    @property
    def text(self) -> str | None:
        return self.value if isinstance(self.value, str) else None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def get(self, *path: str) -> Node | None:
        """The node below these keys, or ``None`` when any of them is absent."""
        node: Node | None = self
        for key in path:
            if node is None:
                return None
            node = node.members.get(key)
        return node

    def key_mark(self, key: str) -> Mark:
        """Where ``key`` stands, or this mapping's own place when it has no such key."""
        return self.keys.get(key, self.mark)

    def without(self, key: str) -> Node:
        """The same mapping less one of its members."""
        rest = Node({name: value for name, value in self.value.items() if name != key}, self.mark)
        rest.members = {name: child for name, child in self.members.items() if name != key}
        rest.keys = self.keys
        return rest

    def entries(self) -> Iterator[Entry]:
        """The named entries of a list of single-key mappings (tasks, cases); malformed ones are left out."""
        for index, item in enumerate(self.items):
            if len(item.members) == 1:
                (name, node) = next(iter(item.members.items()))
                yield Entry(index, name, node, item.keys[name])


class Entry:
    """``- name: node`` at place ``index`` of a list; ``mark`` is where the name stands."""

    __slots__ = ("index", "mark", "name", "node")

    def __init__(self, index: int, name: str, node: Node, mark: Mark) -> None:
        self.index = index
        self.name = name
        self.node = node
        self.mark = mark


_NO_MEMBERS: dict[str, Node] = {}
_NO_KEYS: dict[str, Mark] = {}
_NO_ITEMS: list[Node] = []
