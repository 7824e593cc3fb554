"""Tasks that hold other tasks: do, for, fork, listen, try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag

from lowtide.dsl.models.base import Model, by_shape
from lowtide.dsl.models.dataflow import Export, Output
from lowtide.dsl.models.error import ErrorFilter
from lowtide.dsl.models.event import Strategy
from lowtide.dsl.models.retry import RetryOrName
from lowtide.dsl.models.task import Directive, TaskBase
from lowtide.dsl.models.values import Expression, VariableName

if TYPE_CHECKING:
    from lowtide.dsl.models.tasks import TaskList

__all__ = ["DoTask", "ForTask", "Foreach", "ForkTask", "ListenTask", "TryTask"]


class DoTask(TaskBase):
    do: TaskList


class Loop(Model):
    each: VariableName | None = None
    in_: Annotated[
        Annotated[Expression, Tag("<text>")] | Annotated[list[Any], Tag("<list>")],
        by_shape("a list is expected", "write an expression that gives one, such as .items, or the list itself"),
    ] = Field(examples=[".items"])
    at: VariableName | None = None


class ForTask(TaskBase):
    for_: Loop
    while_: Expression | None = None
    do: TaskList = Field(examples=["[]"])


class ForkConfiguration(Model):
    branches: TaskList = Field(examples=["[]"])
    compete: bool | None = None


class ForkTask(TaskBase):
    fork: ForkConfiguration


class ListenConfiguration(Model):
    to: Strategy = Field(examples=["{one: {with: {type: com.example.paid.v1}}}"])
    read: Literal["data", "envelope", "raw"] | None = None


class Foreach(Model):
    """What to do with each consumed event or message."""

    item: VariableName | None = None
    at: VariableName | None = None
    do: TaskList | None = None
    output: Output | None = None
    export: Export | None = None


class ListenTask(TaskBase):
    listen: ListenConfiguration
    foreach: Foreach | None = None


class CaughtErrors(Model):
    with_: ErrorFilter | None = None


class Catch(Model):
    errors: CaughtErrors | None = None
    as_: VariableName | None = None
    when: Expression | None = None
    except_when: Expression | None = None
    retry: RetryOrName | None = None
    do: TaskList | None = None
    then: Directive | None = None


class TryTask(TaskBase):
    try_: TaskList
    catch: Catch = Field(examples=["{}"])
