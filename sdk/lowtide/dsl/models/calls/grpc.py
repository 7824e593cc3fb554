"""``call: grpc``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lowtide.dsl.models.authentication import PolicyOrName
from lowtide.dsl.models.base import Model
from lowtide.dsl.models.resource import Resource
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Object

__all__ = ["CallGrpc"]


class Service(Model):
    name: str = Field(examples=["greeter.Greeter"])
    host: str = Field(min_length=1, examples=["localhost"])
    port: int | None = Field(default=None, ge=0, le=65535)
    authentication: PolicyOrName | None = None


class GrpcArguments(Model):
    proto: Resource = Field(examples=["{endpoint: 'https://example.com/greeter.proto'}"])
    service: Service = Field(examples=["{name: greeter.Greeter, host: localhost}"])
    method: str = Field(min_length=1, examples=["SayHello"])
    arguments: Object | None = None


class CallGrpc(TaskBase):
    call: Literal["grpc"]
    with_: GrpcArguments = Field(examples=["{proto: …, service: …, method: SayHello}"])
