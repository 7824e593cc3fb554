"""Task lists and what all tasks share; the kinds are in ``simple``, ``composites``, ``calls`` and ``runs``."""

from __future__ import annotations

from typing import Any

from lowtide.dsl.keywords import keyword_of
from lowtide.dsl.normalise import calls, composites, runs, simple
from lowtide.dsl.normalise.dataflow import export_of, input_of, output_of
from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.scope import TaskScope
from lowtide.dsl.normalise.values import timeout
from lowtide.dsl.tree import Node
from lowtide.model.plan import Literal_, Set, Task

__all__ = ["escaped", "task", "tasks"]


def tasks(draft: Draft, node: Node | None, pointer: str, scope: TaskScope) -> tuple[Task, ...]:
    """A list of tasks whose JSON pointer is ``pointer`` (``/do``): the n-th is ``/do/n/name``."""
    if node is None:
        return ()
    return tuple(
        task(draft, entry.name, entry.node, f"{pointer}/{entry.index}/{escaped(entry.name)}", scope)
        for entry in node.entries()
    )


def task(draft: Draft, name: str, node: Node, pointer: str, scope: TaskScope) -> Task:
    then, metadata = node.get("then"), node.get("metadata")
    shared: dict[str, Any] = {
        "name": name,
        "pointer": pointer,
        "if_": draft.expression(node.get("if"), scope.before),
        "input": input_of(draft, node.get("input"), scope.before),
        "output": output_of(draft, node.get("output"), scope.output),
        "export": export_of(draft, node.get("export"), scope.export),
        "timeout": timeout(draft, node.get("timeout"), scope.body),
        "then": (then.text if then is not None else None) or "continue",
        "metadata": metadata.value if metadata is not None and metadata.is_mapping else {},
    }
    return _of_kind(draft, node, scope, pointer, shared)


def _of_kind(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Task:
    made: Task
    match keyword_of(node.value):
        case "call":
            made = calls.call(draft, node, scope, pointer, shared)
        case "do":
            made = composites.do(draft, node, scope, pointer, shared)
        case "emit":
            made = simple.emit(draft, node, scope, shared)
        case "for":
            made = composites.for_(draft, node, scope, pointer, shared)
        case "fork":
            made = composites.fork(draft, node, scope, pointer, shared)
        case "listen":
            made = composites.listen(draft, node, scope, pointer, shared)
        case "raise":
            made = simple.raise_(draft, node, scope, shared)
        case "run":
            made = runs.run(draft, node, scope, shared)
        case "set":
            made = simple.set_(draft, node, scope, shared)
        case "switch":
            made = simple.switch(draft, node, scope, shared)
        case "try":
            made = composites.try_(draft, node, scope, pointer, shared)
        case "wait":
            made = simple.wait(draft, node, scope, shared)
        case _:  # malformed: the models have reported it
            made = Set(value=Literal_(None), **shared)
    return made


def escaped(name: str) -> str:
    """A name as a segment of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
