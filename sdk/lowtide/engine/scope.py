"""The variables of expressions, stage by stage (dsl.md, "Runtime expression arguments")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

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


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What an expression sees at one stage of one task (or of the workflow, where ``frame`` is ``None``).

    A local variable hides a standard one of the same name.
    """

    run: Run
    place: Place
    stage: Stage
    frame: TaskFrame | None = None
    output: JSON = None
    raw_output: JSON = None
    authorization: JSON = None

    def get(self, name: str, absent: JSON) -> JSON:
        """The value of a variable, or ``absent`` where the stage has none of that name."""
        if name in self.place.variables:
            return self.place.variables[name]
        if name not in _AVAILABLE[self.stage]:
            return absent
        match name:
            case "context":
                return self.place.holder.context
            case "input":
                return self.frame.input if self.frame else None
            case "output":
                return self.output
            case "secrets":
                return self._secrets()
            case "runtime":
                return self.run.host.runtime
            case "workflow":
                return self._workflow()
            case "task":
                return self._task()
            case "authorization":
                return self.authorization
        raise AssertionError(f"{name} is available, but nobody knows what it is")

    def bound(self, names: Iterable[str]) -> dict[str, JSON]:
        """The values of those of the names that are variables here."""
        available = _AVAILABLE[self.stage]
        return {name: self.get(name, None) for name in names if name in self.place.variables or name in available}

    def _secrets(self) -> JSON:
        """Those that the document names. Raises ``TaskFailed`` (``authorization``, 403) where one is not to be had."""
        known = self.run.host.secrets
        missing = [name for name in self.run.plan.secrets if name not in known]
        if missing:
            detail = f"there is no secret {', '.join(missing)} that this workflow may read"
            raise TaskFailed(standard_error("authorization", detail))
        return {name: known[name] for name in self.run.plan.secrets}

    def _workflow(self) -> JSON:
        state = self.run.state
        return {
            "id": state.execution,
            "definition": self.run.plan.definition,
            "input": state.input,
            "startedAt": describe_time(state.started),
        }

    def _task(self) -> JSON:
        """The task's descriptor; in an extension that of the task which is extended."""
        frame, subject = self.frame, self.place.subject
        if frame is None:
            return None
        pointer = self.place.pointer(frame.ref)
        if subject is not None:
            frame, pointer = subject.frame, subject.pointer
        descriptor: dict[str, JSON] = {
            "name": name_of(frame.ref),
            "reference": frame.ref,
            "definition": _definition(self.run.plan.definition, pointer),
            "input": frame.raw,
            "startedAt": describe_time(frame.started),
        }
        if subject is not None:
            if frame.extended is not None and frame.extended.stage == "after":
                descriptor["output"] = frame.extended.output
        elif self.stage in {"output", "export"}:
            descriptor["output"] = self.raw_output
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
