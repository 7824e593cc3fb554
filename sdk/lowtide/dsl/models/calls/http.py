"""``call: http``."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, Tag

from lowtide.dsl.models.base import Model, by_shape
from lowtide.dsl.models.resource import Endpoint
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Data, Scalar, WholeExpression

__all__ = ["CallHttp", "Pairs"]

Pairs: TypeAlias = Annotated[
    Annotated[WholeExpression, Tag("<text>")] | Annotated[dict[str, Scalar], Tag("<object>")],
    by_shape("a mapping of names to values is expected", "write {name: value}, or one expression: ${ .headers }"),
]
"""Headers or query parameters. The schema of the standard wants text; its reference, and people, write numbers too."""


class HttpArguments(Model):
    method: str = Field(min_length=1, examples=["get"])
    endpoint: Endpoint = Field(examples=["https://example.com/orders/{id}"])
    headers: Pairs | None = None
    body: Data = None
    query: Pairs | None = None
    output: Literal["raw", "content", "response"] | None = None
    redirect: bool | None = None


class CallHttp(TaskBase):
    call: Literal["http"]
    with_: HttpArguments = Field(examples=["{method: get, endpoint: 'https://example.com'}"])
