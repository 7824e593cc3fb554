"""``call: openapi``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lowtide.dsl.models.authentication import PolicyOrName
from lowtide.dsl.models.base import Model
from lowtide.dsl.models.resource import Resource
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Object

__all__ = ["CallOpenApi"]


class OpenApiArguments(Model):
    document: Resource = Field(examples=["{endpoint: 'https://example.com/openapi.json'}"])
    operation_id: str = Field(min_length=1, examples=["findOrders"])
    parameters: Object | None = None
    authentication: PolicyOrName | None = None
    output: Literal["raw", "content", "response"] | None = None
    redirect: bool | None = None


class CallOpenApi(TaskBase):
    call: Literal["openapi"]
    with_: OpenApiArguments = Field(examples=["{document: …, operationId: findOrders}"])
