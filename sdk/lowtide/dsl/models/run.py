"""``run``: a container, a script, a shell command, another workflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, Tag, model_validator

from lowtide.dsl.models.base import Model, by_key, by_shape, mistake
from lowtide.dsl.models.resource import Resource
from lowtide.dsl.models.task import TaskBase
from lowtide.dsl.models.values import Data, Duration, Object, Scalar

__all__ = ["RunTask"]

Arguments: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[list[Scalar], Tag("<list>")]
    | Annotated[dict[str, Scalar], Tag("<object>")],
    by_shape("a list of arguments is expected", "write a list: ['--verbose', '${ .file }']"),
]
"""A list, as since 1.0.2, or the map of the older versions, or an expression that gives one of them."""

Environment: TypeAlias = dict[str, Scalar]


class Lifetime(Model):
    cleanup: Literal["always", "never", "eventually"] = Field(examples=["always"])
    after: Duration | None = None

    @model_validator(mode="after")
    def _after_goes_with_eventually(self) -> Self:
        if (self.cleanup == "eventually") != (self.after is not None):
            raise mistake("'after' and cleanup: eventually go together", "give both, or neither")
        return self


class Container(Model):
    image: str = Field(examples=["alpine:3"])
    name: str | None = None
    command: str | None = None
    ports: Object | None = None
    volumes: Object | None = None
    environment: Environment | None = None
    stdin: Any = None
    arguments: Arguments | None = None
    lifetime: Lifetime | None = None
    pull_policy: Literal["ifNotPresent", "always", "never"] | None = None


class Script(Model):
    language: str = Field(examples=["python"])
    code: str | None = None
    source: Resource | None = None
    stdin: Any = None
    arguments: Arguments | None = None
    environment: Environment | None = None

    @model_validator(mode="after")
    def _code_or_source(self) -> Self:
        if (self.code is None) == (self.source is None):
            raise mistake("a script has either 'code' or 'source'", "keep one: code: the script, source: {endpoint: …}")
        return self


class Shell(Model):
    command: str = Field(examples=["ls -l"])
    stdin: Any = None
    arguments: Arguments | None = None
    environment: Environment | None = None


class Workflow(Model):
    """``version`` may be left out: the newest (decision A-16)."""

    namespace: str = Field(examples=["default"])
    name: str = Field(examples=["charge-card"])
    version: str | None = None
    input: Data = None


class _Run(Model):
    await_: bool | None = None
    return_: Literal["stdout", "stderr", "code", "all", "none"] | None = None


class RunContainer(_Run):
    container: Container


class RunScript(_Run):
    script: Script


class RunShell(_Run):
    shell: Shell


class RunWorkflow(_Run):
    workflow: Workflow


class RunTask(TaskBase):
    run: Annotated[
        Annotated[RunContainer, Tag("<container>")]
        | Annotated[RunScript, Tag("<script>")]
        | Annotated[RunShell, Tag("<shell>")]
        | Annotated[RunWorkflow, Tag("<workflow>")],
        by_key(
            ("container", "script", "shell", "workflow"),
            "something to run is expected",
            "give one of container, script, shell or workflow",
        ),
    ]
