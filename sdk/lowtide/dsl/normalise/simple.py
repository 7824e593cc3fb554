"""Tasks that hold no other tasks: set, wait, raise, emit, switch."""

from __future__ import annotations

from typing import Any

from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.scope import TaskScope
from lowtide.dsl.normalise.values import duration
from lowtide.dsl.tree import Node
from lowtide.model.plan import Case, Emit, Literal_, Raise, Set, Switch, Wait

__all__ = ["emit", "raise_", "set_", "switch", "wait"]


def set_(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> Set:
    return Set(value=draft.template(node.get("set") or NOTHING, scope.body), **shared)


def wait(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> Wait:
    return Wait(duration=duration(draft, node.get("wait"), scope.body) or Literal_(0), **shared)


def raise_(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> Raise:
    """The error is inline, or the name of one in ``use.errors``."""
    error = node.get("raise", "error") or NOTHING
    if error.text is not None:
        error = draft.refer("errors", error) or NOTHING
    return Raise(error=draft.template(error, scope.error, lenient=False), **shared)


def emit(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> Emit:
    return Emit(event=draft.template(node.get("emit", "event", "with") or NOTHING, scope.body), **shared)


def switch(draft: Draft, node: Node, scope: TaskScope, shared: dict[str, Any]) -> Switch:
    cases = []
    for entry in (node.get("switch") or NOTHING).entries():
        then = entry.node.get("then")
        when = draft.expression(entry.node.get("when"), scope.body)
        cases.append(Case(entry.name, (then.text if then is not None else None) or "continue", when))
    return Switch(cases=tuple(cases), **shared)
