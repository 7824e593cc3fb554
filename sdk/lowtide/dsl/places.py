"""From the path of a model's error to the place in the text and to what the grammar knows about it."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from lowtide.dsl.models import Workflow
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.tree import Mark, Node

__all__ = ["NAMED_ENTRIES", "Crowd", "Place", "place_of"]

NAMED_ENTRIES: Final = frozenset({"do", "try", "branches", "before", "after", "switch", "extensions"})
"""Lists whose entries are mappings with one key, the entry's name."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """An entry of the list ``owner`` that has several names where it may have one."""

    entry: Node
    owner: str


@dataclass(frozen=True, slots=True)
class Place:
    """``node`` is the value that is wrong (``None`` when it is missing), ``parent`` what holds it.

    ``key`` is its key, or that of the list that it is an entry of (``is_entry``); ``owner`` is the key of the parent.
    ``model`` is the model of the parent, when it has one. ``crowded`` is set when the path leads through an entry
    with too many names: that is then the mistake, whatever was found below it.
    """

    key: str
    owner: str
    node: Node | None
    parent: Node
    mark: Mark
    owner_mark: Mark
    is_entry: bool
    is_task_value: bool
    model: type[BaseModel] | None
    crowded: Crowd | None = None

    @property
    def value(self) -> Any:
        return self.node.value if self.node is not None else None

    @property
    def quoted(self) -> str:
        return f"an entry of '{self.owner}'" if self.is_entry else f"'{self.key}'"

    @property
    def below(self) -> str:
        return f"below '{self.owner}'" if self.owner else "at the left margin"

    @property
    def is_task(self) -> bool:
        return self.model is not None and issubclass(self.model, TaskBase)

    @property
    def known(self) -> list[str]:
        """The keys that the parent may have, those that it lacks first."""
        if self.model is None:
            return []
        names = [_alias(name, field) for name, field in self.model.model_fields.items()]
        absent = [name for name in names if name not in self.parent.members]
        own = [name for name in absent if not self.is_task or name not in _BASE]
        return own + [name for name in absent if name not in own]

    @property
    def example(self) -> str:
        """How the missing key may look."""
        if self.model is not None:
            for name, field in self.model.model_fields.items():
                if _alias(name, field) == self.key and field.examples:
                    return str(field.examples[0])
        return ""


_BASE = frozenset(TaskBase.model_fields) | {"if"}


def _alias(name: str, field: FieldInfo) -> str:
    return field.alias or name


def place_of(root: Node, loc: tuple[int | str, ...]) -> Place:
    """Follows ``loc`` through the document and through the models at once."""
    type_: Any = Workflow
    node: Node | None = root
    parent, owner, key = root, "", ""
    mark = owner_mark = root.mark
    model: type[BaseModel] | None = Workflow
    is_entry = False
    crowded: Crowd | None = None
    for segment in loc:
        if isinstance(segment, str) and segment.startswith("<") and segment.endswith(">"):
            type_ = _branch(type_, segment)
            continue
        if segment == "[key]" or node is None:
            continue
        parent, owner_mark = node, mark
        owner = owner if is_entry and isinstance(segment, int) else key
        type_ = _bare(type_)
        model = type_ if isinstance(type_, type) and issubclass(type_, BaseModel) else None
        if isinstance(segment, int):
            is_entry = True
            node = node.items[segment] if segment < len(node.items) else None
            mark = node.mark if node is not None else parent.mark
            if node is not None and len(node.members) > 1 and key in NAMED_ENTRIES:
                crowded = crowded or Crowd(node, key)
        else:
            is_entry = False
            key = segment
            mark = parent.key_mark(segment)
            node = parent.members.get(segment)
        type_ = _step(type_, segment)
    return Place(
        key=key,
        owner=owner,
        node=node,
        parent=parent,
        mark=_value_mark(node, mark),
        owner_mark=owner_mark,
        is_entry=is_entry,
        is_task_value=_is_task_choice(type_),
        model=model,
        crowded=crowded,
    )


def _value_mark(node: Node | None, key: Mark) -> Mark:
    """A scalar's own place, a collection's key: that is where one looks."""
    if node is None or node.is_mapping or node.is_list or node.value is None:
        return key
    return node.mark


def _bare(type_: Any) -> Any:
    """The type without annotations and without ``None``."""
    while True:
        if typing.get_origin(type_) is typing.Annotated:
            type_ = typing.get_args(type_)[0]
            continue
        members = _members(type_)
        some = [member for member in members if member is not type(None)]
        if len(some) == 1 and len(members) > 1:
            type_ = some[0]
            continue
        return type_


def _members(type_: Any) -> tuple[Any, ...]:
    """The members of a union, or nothing."""
    return typing.get_args(type_) if typing.get_origin(type_) in (typing.Union, types.UnionType) else ()


def _branch(type_: Any, tag: str) -> Any:
    for member in _members(_bare(type_)):
        if typing.get_origin(member) is typing.Annotated:
            if any(isinstance(mark, Tag) and mark.tag == tag for mark in member.__metadata__):
                return member
            found = _branch(member, tag)
            if found is not None:
                return found
    return None


def _step(type_: Any, segment: int | str) -> Any:
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is list and isinstance(segment, int):
        return arguments[0]
    if origin is dict:
        return arguments[1]
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        for name, field in type_.model_fields.items():
            if _alias(name, field) == segment:
                return field.annotation
    return None


def _is_task_choice(type_: Any) -> bool:
    members = _members(_bare(type_))
    return bool(members) and all(
        isinstance(inner := _bare(member), type) and issubclass(inner, TaskBase) for member in members
    )
