"""Tasks that hold no other tasks: set, wait, raise, emit, switch."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, Tag

from lowtide.dsl.models.base import Model, by_shape, mistake
from lowtide.dsl.models.error import ErrorDefinition
from lowtide.dsl.models.event import EmittedEvent
from lowtide.dsl.models.task import Directive, TaskBase
from lowtide.dsl.models.values import Duration, Expression

__all__ = ["EmitTask", "RaiseTask", "SetTask", "SwitchTask", "WaitTask"]


def _not_empty(members: dict[str, Any]) -> dict[str, Any]:
    if not members:
        raise mistake("'set' has nothing to set", "give it a member, or write set: ${ {} } for an empty object")
    return members


class SetTask(TaskBase):
    set: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], AfterValidator(_not_empty), Tag("<object>")],
        by_shape("an object or an expression is expected", "write set: {name: value}, or set: ${ .order }"),
    ]


class WaitTask(TaskBase):
    wait: Duration


class RaiseConfiguration(Model):
    error: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[ErrorDefinition, Tag("<object>")],
        by_shape("an error is expected", "write {type: …, status: …}, or the name of one in use.errors"),
    ] = Field(examples=["{type: https://example.com/errors/out-of-stock, status: 400}"])


class RaiseTask(TaskBase):
    raise_: RaiseConfiguration


class EmitConfiguration(Model):
    event: EmittedEvent = Field(examples=["{with: {type: com.example.order.placed.v1}}"])


class EmitTask(TaskBase):
    emit: EmitConfiguration


class SwitchCase(Model):
    when: Expression | None = None
    then: Directive = Field(examples=["continue"])


SwitchItem: TypeAlias = Annotated[dict[str, SwitchCase], Field(min_length=1, max_length=1)]


class SwitchTask(TaskBase):
    switch: list[SwitchItem] = Field(min_length=1)
