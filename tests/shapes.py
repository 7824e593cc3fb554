"""What the types of the grammar's models say: which models they hold, which choices they give."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import annotated_types
from pydantic import AfterValidator, BaseModel, Tag
from pydantic.fields import FieldInfo

from lowtide.dsl.models import built
from lowtide.dsl.models.composite import DoTask
from lowtide.dsl.models.workflow import Extension

__all__ = [
    "all_fields",
    "bare",
    "has_name",
    "holds_tasks",
    "is_entry",
    "is_not_empty",
    "key_of",
    "least",
    "models_below",
    "without_name",
]


def key_of(name: str, info: FieldInfo) -> str:
    """The document's key of a field."""
    return info.alias or name


def least(metadata: tuple[Any, ...]) -> int:
    found = [mark.min_length for mark in _marks(metadata) if isinstance(mark, annotated_types.MinLen)]
    return max(found, default=0)


def is_not_empty(metadata: tuple[Any, ...]) -> int:
    return int(any(isinstance(mark, AfterValidator) for mark in metadata))


def _marks(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        else:
            yield mark


def bare(type_: Any) -> Any:
    return bare(typing.get_args(type_)[0]) if typing.get_origin(type_) is typing.Annotated else type_


def is_entry(item: Any) -> bool:
    """Whether a list's items are mappings with one key: tasks, cases, extensions."""
    return typing.get_origin(item) is typing.Annotated and typing.get_origin(bare(item)) is dict


def _parts(type_: Any) -> tuple[Any, ...]:
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return tuple(info.annotation for info in type_.model_fields.values())
    if typing.get_origin(type_) is Literal:
        return ()
    arguments = typing.get_args(type_)
    return arguments[:1] if typing.get_origin(type_) is typing.Annotated else arguments


def models_below(type_: Any, known: set[type[BaseModel]] | None = None) -> set[type[BaseModel]]:
    """Every model that a value of the type may hold, itself among them."""
    known = set() if known is None else known
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        if type_ in known:
            return known
        known.add(type_)
    for part in _parts(type_):
        models_below(part, known)
    return known


def holds_tasks(type_: Any) -> bool:
    """Whether a value of the type may hold tasks that hold tasks: what is left out where a document ends."""
    return any(issubclass(found, (DoTask, Extension)) for found in models_below(type_))


def has_name(type_: Any) -> bool:
    return any(_is_name(member) for member in _choices(type_))


def _is_name(member: Any) -> bool:
    """Whether a branch of a choice is plain text: the name of a definition in ``use``."""
    marks: tuple[Any, ...] = getattr(member, "__metadata__", ())
    return bare(member) is str and len(marks) == 1 and isinstance(marks[0], Tag)


def _choices(type_: Any) -> list[Any]:
    """The branches of a choice, and of the choices among them."""
    choice = bare(type_)
    if typing.get_origin(choice) not in (typing.Union, types.UnionType):
        return [type_]
    return [branch for member in typing.get_args(choice) for branch in _choices(member)]


def without_name(type_: Any) -> Any:
    return functools.reduce(operator.or_, (branch for branch in _choices(type_) if not _is_name(branch)))


def all_fields() -> set[tuple[str, str]]:
    """Every field of every model of the grammar."""
    return {
        (f"{model.__qualname__}@{model.__module__}", name)
        for model in models_below(built())
        for name in model.model_fields
    }
