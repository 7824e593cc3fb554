"""All kinds of tasks as one type, and lists of them."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, Tag

from lowtide.dsl.keywords import CALLS, keyword_of
from lowtide.dsl.models.base import SHAPE, Choice
from lowtide.dsl.models.calls.a2a import CallA2A
from lowtide.dsl.models.calls.asyncapi import CallAsyncApi
from lowtide.dsl.models.calls.function import CallFunction
from lowtide.dsl.models.calls.grpc import CallGrpc
from lowtide.dsl.models.calls.http import CallHttp
from lowtide.dsl.models.calls.mcp import CallMcp
from lowtide.dsl.models.calls.openapi import CallOpenApi
from lowtide.dsl.models.composite import (
    Catch,
    DoTask,
    Foreach,
    ForkConfiguration,
    ForkTask,
    ForTask,
    ListenTask,
    TryTask,
)
from lowtide.dsl.models.run import RunTask
from lowtide.dsl.models.simple import EmitTask, RaiseTask, SetTask, SwitchTask, WaitTask

__all__ = ["Task", "TaskList", "close"]


def _kind(value: Any) -> str | None:
    keyword = keyword_of(value)
    if keyword != "call":
        return f"<{keyword}>" if keyword else None
    name = value["call"]
    return f"<call {name}>" if name in CALLS else "<call>"


Task: TypeAlias = Annotated[
    Annotated[CallHttp, Tag("<call http>")]
    | Annotated[CallGrpc, Tag("<call grpc>")]
    | Annotated[CallOpenApi, Tag("<call openapi>")]
    | Annotated[CallAsyncApi, Tag("<call asyncapi>")]
    | Annotated[CallMcp, Tag("<call mcp>")]
    | Annotated[CallA2A, Tag("<call a2a>")]
    | Annotated[CallFunction, Tag("<call>")]
    | Annotated[DoTask, Tag("<do>")]
    | Annotated[EmitTask, Tag("<emit>")]
    | Annotated[ForTask, Tag("<for>")]
    | Annotated[ForkTask, Tag("<fork>")]
    | Annotated[ListenTask, Tag("<listen>")]
    | Annotated[RaiseTask, Tag("<raise>")]
    | Annotated[RunTask, Tag("<run>")]
    | Annotated[SetTask, Tag("<set>")]
    | Annotated[SwitchTask, Tag("<switch>")]
    | Annotated[TryTask, Tag("<try>")]
    | Annotated[WaitTask, Tag("<wait>")],
    Choice(
        _kind,
        custom_error_type=SHAPE,
        custom_error_message="{expected}",
        custom_error_context={
            "expected": "a task is expected",
            "mend": "give it a keyword",
            "keys": "",
        },
    ),
]

TaskList: TypeAlias = list[Annotated[dict[str, Task], Field(min_length=1, max_length=1)]]

_OPEN: Final = (DoTask, ForTask, ForkConfiguration, ForkTask, Foreach, ListenTask, Catch, TryTask)


def close() -> None:
    """Let the models that hold lists of tasks know what these are."""
    for model in _OPEN:
        model.model_rebuild(_types_namespace={"TaskList": TaskList})
