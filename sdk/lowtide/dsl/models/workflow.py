"""The whole document."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from lowtide.dsl.models import tasks
from lowtide.dsl.models.authentication import Policy
from lowtide.dsl.models.base import Model, mistake
from lowtide.dsl.models.dataflow import Input, Output
from lowtide.dsl.models.error import ErrorDefinition
from lowtide.dsl.models.event import Strategy
from lowtide.dsl.models.resource import Catalog
from lowtide.dsl.models.retry import RetryPolicy
from lowtide.dsl.models.tasks import Task, TaskList
from lowtide.dsl.models.values import (
    DnsName,
    Duration,
    Expression,
    SemanticVersion,
    Timeout,
    TimeoutOrName,
)

__all__ = ["DSL_VERSIONS", "Workflow", "built"]

DSL_VERSIONS: Final = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")


def _supported(version: str) -> str:
    if version not in DSL_VERSIONS:
        raise mistake(f"the DSL version '{version[:40]}' is not supported", "write dsl: 1.0.3 (or 1.0.0 to 1.0.2)")
    return version


class Document(Model):
    dsl: Annotated[str, AfterValidator(_supported)] = Field(examples=["1.0.3"])
    namespace: DnsName = Field(examples=["default"])
    name: DnsName = Field(examples=["order-intake"])
    version: SemanticVersion = Field(examples=["1.0.0"])
    title: str | None = None
    summary: str | None = None
    tags: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Extension(Model):
    extend: Literal[
        "call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait", "all"
    ] = Field(examples=["all"])
    when: Expression | None = None
    before: TaskList | None = None
    after: TaskList | None = None


class Use(Model):
    authentications: dict[str, Policy] | None = None
    catalogs: dict[str, Catalog] | None = None
    errors: dict[str, ErrorDefinition] | None = None
    extensions: list[Annotated[dict[str, Extension], Field(min_length=1, max_length=1)]] | None = None
    functions: dict[str, Task] | None = None
    retries: dict[str, RetryPolicy] | None = None
    secrets: list[str] | None = None
    timeouts: dict[str, Timeout] | None = None


class Schedule(Model):
    every: Duration | None = None
    cron: str | None = None
    after: Duration | None = None
    on: Strategy | None = None
    read: Literal["data", "envelope", "raw"] | None = None


class Evaluate(Model):
    language: str | None = None
    mode: Literal["strict", "loose"] | None = None


class Workflow(Model):
    """A document of the Open Workflow Specification, DSL 1.0.0 to 1.0.3."""

    document: Document = Field(examples=["{dsl: 1.0.3, namespace: default, name: order-intake, version: 1.0.0}"])
    input: Input | None = None
    use: Use | None = None
    do: TaskList = Field(examples=["[]"])
    timeout: TimeoutOrName | None = None
    output: Output | None = None
    schedule: Schedule | None = None
    evaluate: Evaluate | None = None


_BUILDING: Final = threading.Lock()


def built() -> type[Workflow]:
    """The whole grammar, ready to validate. It is made when it is first needed: that takes a third of a second, which
    a process that only answers a tick does not have to spend."""
    with _BUILDING:
        if not Workflow.__pydantic_complete__:
            tasks.close()
            Workflow.model_rebuild()
    return Workflow
