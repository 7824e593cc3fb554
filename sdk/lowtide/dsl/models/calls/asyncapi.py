"""``call: asyncapi``: publish a message, or subscribe to messages."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, Tag, field_validator, model_validator

from lowtide.dsl.models.authentication import PolicyOrName
from lowtide.dsl.models.base import Model, by_key, mistake
from lowtide.dsl.models.composite import Foreach
from lowtide.dsl.models.resource import Resource
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Data, Duration, Expression, Object

__all__ = ["CallAsyncApi"]

_LIMITS: Final = frozenset({"amount", "while", "until"})

Protocol = Literal[
    "amqp",
    "amqp1",
    "anypointmq",
    "googlepubsub",
    "http",
    "ibmmq",
    "jms",
    "kafka",
    "mercure",
    "mqtt",
    "mqtt5",
    "nats",
    "pulsar",
    "redis",
    "sns",
    "solace",
    "sqs",
    "stomp",
    "ws",
]


class Server(Model):
    name: str = Field(examples=["production"])
    variables: Object | None = None


class Message(Model):
    payload: Data = None
    headers: Data = None


class _Consume(Model):
    for_: Duration | None = None


class Amount(_Consume):
    amount: int = Field(ge=1)


class While(_Consume):
    while_: Expression


class Until(_Consume):
    until: Expression


class Subscription(Model):
    filter: Expression | None = None
    consume: Annotated[
        Annotated[Amount, Tag("<amount>")] | Annotated[While, Tag("<while>")] | Annotated[Until, Tag("<until>")],
        by_key(("amount", "while", "until"), "a limit is expected", "give one of amount, while or until"),
    ] = Field(examples=["{amount: 1}"])
    foreach: Foreach | None = None

    @field_validator("consume", mode="before")
    @classmethod
    def _one_limit(cls, given: Any) -> Any:
        if isinstance(given, dict) and len(_LIMITS & given.keys()) > 1:
            raise mistake(
                "exactly one of 'amount', 'while' and 'until' is expected",
                "keep one of them; 'for' may stand beside it",
            )
        return given


class AsyncApiArguments(Model):
    document: Resource = Field(examples=["{endpoint: 'https://example.com/asyncapi.json'}"])
    channel: str | None = None
    operation: str | None = None
    server: Server | None = None
    protocol: Protocol | None = None
    message: Message | None = None
    subscription: Subscription | None = None
    authentication: PolicyOrName | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.channel is None) == (self.operation is None):
            raise mistake(
                "exactly one of 'operation' and 'channel' is expected",
                "give operation for AsyncAPI 3, channel for AsyncAPI 2.6",
            )
        if (self.message is None) == (self.subscription is None):
            raise mistake(
                "exactly one of 'message' and 'subscription' is expected",
                "give message to publish, subscription to consume",
            )
        return self


class CallAsyncApi(TaskBase):
    call: Literal["asyncapi"]
    with_: AsyncApiArguments = Field(examples=["{document: …, operation: sendOrder, message: {payload: …}}"])
