"""``call: a2a``: Agent2Agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Tag, model_validator

from lowtide.dsl.models.base import Model, by_shape, mistake
from lowtide.dsl.models.resource import Endpoint, Resource
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import WholeExpression

__all__ = ["CallA2A"]


class A2AArguments(Model):
    method: Literal[
        "message/send",
        "message/stream",
        "tasks/get",
        "tasks/list",
        "tasks/cancel",
        "tasks/resubscribe",
        "tasks/pushNotificationConfig/set",
        "tasks/pushNotificationConfig/get",
        "tasks/pushNotificationConfig/list",
        "tasks/pushNotificationConfig/delete",
        "agent/getAuthenticatedExtendedCard",
    ] = Field(examples=["message/send"])
    agent_card: Resource | None = None
    server: Endpoint | None = None
    parameters: (
        Annotated[
            Annotated[WholeExpression, Tag("<text>")] | Annotated[dict[str, Any], Field(min_length=1), Tag("<object>")],
            by_shape("parameters are expected", "write {message: …}, or one expression"),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.agent_card is None and self.server is None:
            raise mistake("nobody to call is given", "give agentCard: {endpoint: …}, or server: the agent's URI")
        return self


class CallA2A(TaskBase):
    call: Literal["a2a"]
    with_: A2AArguments = Field(examples=["{method: message/send, server: 'https://example.com/agent'}"])
