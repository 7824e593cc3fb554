"""What every task has, and lists of tasks.

A task's kind is decided by its keyword (:func:`lowtide.dsl.keywords.keyword_of`); ``call`` and ``run`` decide further.
The kinds refer to lists of tasks by name; :mod:`lowtide.dsl.models.tasks` closes the circle.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from lowtide.dsl.models.base import Model, mistake
from lowtide.dsl.models.dataflow import Export, Input, Output
from lowtide.dsl.models.values import Expression, TimeoutOrName

__all__ = ["Directive", "TaskBase"]


def _directive(text: str) -> str:
    if not text.strip():
        raise mistake("the flow directive is empty", "write continue, exit, end, or the name of a task beside this one")
    return text


Directive = Annotated[str, AfterValidator(_directive)]


class TaskBase(Model):
    if_: Expression | None = None
    input: Input | None = None
    output: Output | None = None
    export: Export | None = None
    timeout: TimeoutOrName | None = None
    then: Directive | None = None
    metadata: dict[str, Any] | None = None
