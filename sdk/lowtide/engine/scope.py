"""The variables of expressions, stage by stage (dsl.md, "Runtime expression arguments")."""

from __future__ import annotations

from typing import Final, Literal

from lowtide.engine.run import Place, Run, name_of
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Millis, iso
from lowtide.model.error import standard_error
from lowtide.model.state import TaskFrame

__all__ = ["Scope", "Stage", "describe_time"]

Stage = Literal["workflow.input", "workflow.output", "before", "body", "output", "export"]

_AVAILABLE: Final[dict[Stage, frozenset[str]]] = {
    "workflow.input": frozenset({"secrets", "workflow", "runtime"}),
    "workflow.output": frozenset({"context", "secrets", "workflow", "runtime"}),
    "before": frozenset({"context", "secrets", "task", "workflow", "runtime"}),
    "body": frozenset({"context", "input", "secrets", "task", "workflow", "runtime", "authorization"}),
    "output": frozenset({"context", "input", "secrets", "task", "workflow", "runtime", "authorization"}),
    "export": frozenset({"context", "input", "output", "secrets", "task", "workflow", "runtime", "authorization"}),
}


class Scope:
    """What an expression sees at one stage of one task (or of the workflow, where ``frame`` is ``None``).

    A local variable hides a standard one of the same name.
    """

    __slots__ = ("_authorization", "_frame", "_output", "_place", "_raw_output", "_run", "_stage")

    def __init__(
        self,
        run: Run,
        place: Place,
        stage: Stage,
        frame: TaskFrame | None = None,
        *,
        output: JSON = None,
        raw_output: JSON = None,
        authorization: JSON = None,
    ) -> None:
        self._run = run
        self._place = place
        self._stage = stage
        self._frame = frame
        self._output = output
        self._raw_output = raw_output
        self._authorization = authorization

    def __contains__(self, name: object) -> bool:
        return name in self._place.variables or name in _AVAILABLE[self._stage]

    def __getitem__(self, name: str) -> JSON:
        if name in self._place.variables:
            return self._place.variables[name]
        match name:
            case "context":
                return self._place.holder.context
            case "input":
                return self._frame.input if self._frame else None
            case "output":
                return self._output
            case "secrets":
                return self._secrets()
            case "runtime":
                return self._run.host.runtime
            case "workflow":
                return self._workflow()
            case "task":
                return self._task()
            case "authorization":
                return self._authorization
        raise KeyError(name)

    def _secrets(self) -> JSON:
        """Those that the document names. Raises ``TaskFailed`` (``authorization``, 403) where one is not to be had."""
        known = self._run.host.secrets
        missing = [name for name in self._run.plan.secrets if name not in known]
        if missing:
            detail = f"there is no secret {', '.join(missing)} that this workflow may read"
            raise TaskFailed(standard_error("authorization", detail))
        return {name: known[name] for name in self._run.plan.secrets}

    def _workflow(self) -> JSON:
        state = self._run.state
        return {
            "id": state.execution,
            "definition": self._run.plan.definition,
            "input": state.input,
            "startedAt": describe_time(state.started),
        }

    def _task(self) -> JSON:
        """The task's descriptor; in an extension that of the task which is extended."""
        frame, subject = self._frame, self._place.subject
        if frame is None:
            return None
        pointer = self._place.pointer(frame.ref)
        if subject is not None:
            frame, pointer = subject.frame, subject.pointer
        descriptor: dict[str, JSON] = {
            "name": name_of(frame.ref),
            "reference": frame.ref,
            "definition": _definition(self._run.plan.definition, pointer),
            "input": frame.raw,
            "startedAt": describe_time(frame.started),
        }
        if subject is not None:
            if frame.extended is not None and frame.extended.stage == "after":
                descriptor["output"] = frame.extended.output
        elif self._stage in {"output", "export"}:
            descriptor["output"] = self._raw_output
        return descriptor


def describe_time(moment: Millis) -> JSON:
    """The standard's dateTime descriptor."""
    return {"iso8601": iso(moment), "epoch": {"seconds": moment // 1000, "milliseconds": int(moment)}}


def _definition(document: JSON, ref: str) -> JSON:
    """What stands at a JSON pointer of the document; ``None`` where it leads nowhere."""
    node = document
    for raw in ref.split("/")[1:]:
        segment = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and segment.isdecimal() and int(segment) < len(node):
            node = node[int(segment)]
        elif isinstance(node, dict) and segment in node:
            node = node[segment]
        else:
            return None
    return node
