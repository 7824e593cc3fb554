"""``call: mcp``: Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Tag, model_validator

from lowtide.dsl.models.base import Model, by_shape, mistake
from lowtide.dsl.models.calls.http import Pairs
from lowtide.dsl.models.resource import Endpoint
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Duration, Object, Scalar, WholeExpression

__all__ = ["CallMcp"]


class HttpTransport(Model):
    endpoint: Endpoint = Field(examples=["https://example.com/mcp"])
    headers: Pairs | None = None


class StdioTransport(Model):
    command: str = Field(examples=["npx"])
    arguments: list[Scalar] | None = None
    environment: dict[str, Scalar] | None = None


class Transport(Model):
    http: HttpTransport | None = None
    stdio: StdioTransport | None = None
    options: Object | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.http is None) == (self.stdio is None):
            raise mistake("exactly one of 'http' and 'stdio' is expected", "give http: {endpoint: …}, for one")
        return self


class Client(Model):
    name: str = Field(examples=["order-desk"])
    version: str = Field(examples=["1.0.0"])


class McpArguments(Model):
    method: Literal[
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/read",
        "resources/templates/list",
    ] = Field(examples=["tools/call"])
    transport: Transport = Field(examples=["{http: {endpoint: 'https://example.com/mcp'}}"])
    protocol_version: str | None = None
    parameters: (
        Annotated[
            Annotated[WholeExpression, Tag("<text>")] | Annotated[dict[str, Any], Tag("<object>")],
            by_shape("parameters are expected", "write {name: …, arguments: …}, or one expression"),
        ]
        | None
    ) = None
    timeout: Duration | None = None
    client: Client | None = None


class CallMcp(TaskBase):
    call: Literal["mcp"]
    with_: McpArguments = Field(examples=["{method: tools/call, transport: …}"])
