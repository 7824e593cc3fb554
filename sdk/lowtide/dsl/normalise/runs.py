"""``run``: another workflow, or a container, script or shell."""

from __future__ import annotations

from typing import Any, Final, Literal

from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.scope import Scope, TaskScope
from lowtide.dsl.normalise.values import structure
from lowtide.dsl.templates import whole
from lowtide.dsl.tree import Node
from lowtide.model.plan import Literal_, ObjectTemplate, RunProcess, RunWorkflow, Set, Template

__all__ = ["PROCESSES", "run"]

Process = Literal["container", "script", "shell"]
Return = Literal["stdout", "stderr", "code", "all", "none"]
PROCESSES: Final[tuple[Process, ...]] = ("container", "script", "shell")
_RETURNS: Final[dict[str, Return]] = {
    "stdout": "stdout",
    "stderr": "stderr",
    "code": "code",
    "all": "all",
    "none": "none",
}


def run(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> RunWorkflow | RunProcess | Set:
    what = node.get("run") or NOTHING
    await_ = what.get("await")
    awaits = await_ is None or await_.value is not False
    workflow = what.get("workflow")
    if workflow is not None:
        return _workflow(draft, workflow, scope.body, awaits, shared)
    for process in PROCESSES:
        found = what.get(process)
        if found is not None:
            return RunProcess(
                process=process,
                with_=_process(draft, found, scope.body),
                await_=awaits,
                return_=_RETURNS.get((what.get("return") or NOTHING).text or "", "stdout"),
                **shared,
            )
    return Set(value=Literal_(None), **shared)  # malformed: the models have reported it


def _workflow(draft: Draft, node: Node, scope: Scope, awaits: bool, shared: dict[str, Any]) -> RunWorkflow:
    version, input_ = node.get("version"), node.get("input")
    newest = version is None or version.value in (None, "latest")
    return RunWorkflow(
        namespace=draft.template(node.get("namespace") or NOTHING, scope, lenient=False),
        workflow=draft.template(node.get("name") or NOTHING, scope, lenient=False),
        version=None if version is None or newest else draft.template(version, scope, lenient=False),
        with_=draft.template(input_, scope) if input_ is not None else None,
        await_=awaits,
        **shared,
    )


def _process(draft: Draft, node: Node, scope: Scope) -> Template:
    """The configuration. A script's ``code`` is evaluated only as a whole: its own ``${ }`` belong to its language."""
    code = node.get("code")
    if code is None or code.text is None or whole(code.text) is not None:
        return structure(draft, node, scope)
    rest = structure(draft, node.without("code"), scope)
    if isinstance(rest, ObjectTemplate):
        return ObjectTemplate({**rest.members, "code": Literal_(code.text)})
    return Literal_(node.value)
