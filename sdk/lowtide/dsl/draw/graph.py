"""The flow of a plan as nodes and edges.

A node: ``{id, kind, name, detail, reference, parent}``; ``parent`` is the id of the composite it belongs to.
An edge: ``{from, to, kind, label}`` with kind ``next``, ``then``, ``case``, ``error`` or ``loop``.
The start and the end are nodes too (their ids end in ``_``, since Mermaid reserves ``end``). Groups inside a
composite (``try``, ``catch``, ``foreach``) are nodes of kind ``group``.
"""

from __future__ import annotations

from lowtide.dsl.draw.labels import detail, kind_of
from lowtide.model.base import JSON
from lowtide.model.plan import Do, For, Fork, Listen, Plan, Raise, Switch, Task, Try

__all__ = ["END", "START", "graph"]

START = "start_"
END = "end_"


def graph(plan: Plan) -> dict[str, JSON]:
    """The nodes in the order of the document, and the edges between them."""
    drawing = _Drawing()
    drawing.node(START, "start", "start", "", "", None)
    first = drawing.sequence(plan.do, None, after=END, leave=END)
    drawing.node(END, "end", "end", "", "", None)
    drawing.edge(START, first, "next")
    return {"nodes": drawing.nodes, "edges": drawing.edges}


class _Drawing:
    def __init__(self) -> None:
        self.nodes: list[dict[str, JSON]] = []
        self.edges: list[dict[str, JSON]] = []
        self._drawn: set[tuple[str, ...]] = set()
        self._count = 0

    def node(self, id_: str, kind: str, name: str, detail_: str, reference: str, parent: str | None) -> None:
        self.nodes.append(
            {"id": id_, "kind": kind, "name": name, "detail": detail_, "reference": reference, "parent": parent}
        )

    def edge(self, from_: str, to: str, kind: str, label: str = "") -> None:
        edge = {"from": from_, "to": to, "kind": kind, "label": label}
        if tuple(edge.values()) not in self._drawn:
            self._drawn.add(tuple(edge.values()))
            self.edges.append(edge)

    def sequence(self, tasks: tuple[Task, ...], parent: str | None, *, after: str, leave: str) -> str:
        """Draws a list of tasks; ``after`` follows its last one, ``leave`` is where ``exit`` leads.

        ``after`` is ``""`` where the end of the list needs no edge. Returns the id of the first task.
        """
        ids = [self._id() for _ in tasks]
        by_name = {task.name: id_ for task, id_ in reversed(list(zip(tasks, ids, strict=True)))}
        following = [*ids[1:], after]
        for task, id_, next_ in zip(tasks, ids, following, strict=True):
            targets = {"continue": next_, "exit": leave, "end": END, **by_name}
            self.node(id_, kind_of(task), task.name, detail(task), task.pointer, parent)
            self._inside(task, id_, next_)
            self._leads(task, id_, targets)
        return ids[0] if ids else after

    def _leads(self, task: Task, id_: str, targets: dict[str, str]) -> None:
        if isinstance(task, Switch):
            for case in task.cases:
                label = f"{case.name}: {case.when.source}" if case.when is not None else case.name
                self._to(id_, case.then, targets, "case", label)
            if all(case.when is not None for case in task.cases):
                self._to(id_, task.then, targets, "then", "none")
            return
        if isinstance(task, Try) and task.catch.then is not None:
            self._to(id_, task.catch.then, targets, "error", "caught")
        if not isinstance(task, Raise):
            self._to(id_, task.then, targets, "next" if task.then == "continue" else "then")
        elif task.if_ is not None:
            self._to(id_, "continue", targets, "next", "skipped")

    def _to(self, id_: str, then: str, targets: dict[str, str], kind: str, label: str = "") -> None:
        target = targets.get(then, "")
        if target:
            self.edge(id_, target, kind, label or (then if then in ("exit", "end") else ""))

    def _inside(self, task: Task, id_: str, next_: str) -> None:
        match task:
            case Do():
                self.sequence(task.do, id_, after="", leave=next_)
            case For():
                self.sequence(task.do, id_, after="", leave="")
            case Fork():
                for branch in task.branches:
                    self.sequence((branch,), id_, after="", leave="")
            case Listen() if task.foreach is not None and task.foreach.do:
                group = self._group("for each", task.pointer + "/foreach", id_)
                self.sequence(task.foreach.do, group, after="", leave="")
            case Try():
                self._try(task, id_, next_)

    def _try(self, task: Try, id_: str, next_: str) -> None:
        tried = self._group("try", task.pointer + "/try", id_)
        self.sequence(task.try_, tried, after="", leave=next_)
        if task.catch.do:
            caught = self._group(f"catch {task.catch.as_}", task.pointer + "/catch", id_)
            self.sequence(task.catch.do, caught, after="", leave=next_)
            self.edge(tried, caught, "error", "error")
        if task.catch.retry is not None:
            self.edge(tried, tried, "loop", "retry")

    def _group(self, name: str, reference: str, parent: str) -> str:
        id_ = self._id()
        self.node(id_, "group", name, "", reference, parent)
        return id_

    def _id(self) -> str:
        self._count += 1
        return f"n{self._count}"
