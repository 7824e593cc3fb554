"""The graph of an execution: the outline of the version that ran, with what happened to each task. Pure.

Nodes are tasks by their reference, the groups inside composites, and children. What ran and is in no outline (the
inside of a function, an extension, all of it where analytics has no outline) is attached to the task that its reference
begins with, and its edges are the steps that were taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from lowtide.model.drawing import Said

from .answers import Child, Graph, GraphChild, GraphEdge, GraphNode
from .happened import Runs, Step

__all__ = ["drawable", "graph_of"]

START: Final = "start_"
END: Final = "end_"


def graph_of(
    outline: Mapping[str, Any] | None,
    runs: Sequence[Runs],
    steps: Sequence[Step],
    children: Sequence[Child],
    *,
    completed: bool,
) -> Graph:
    """``completed``: the execution has, so that its end was reached."""
    drawn = outline or {"nodes": [], "edges": []}
    ids = {node["id"]: node["reference"] or node["id"] for node in drawn["nodes"]}
    by_reference = {one.reference: one for one in runs}
    nodes = [_node(node, ids, by_reference.get(node["reference"])) for node in drawn["nodes"]]
    known = {node.id for node in nodes}
    extra = [one for one in runs if one.reference not in known]
    everywhere = known | {one.reference for one in extra}
    nodes += [_of_history(one, everywhere) for one in extra]
    taken = _taken(runs, steps, ids.values(), completed=completed)
    edges = [_edge(edge, ids, taken) for edge in drawn["edges"]]
    inside = {one.reference for one in extra}
    edges += [
        _led(step.before, step.after, "next", step.taken)
        for step in steps
        if step.before is not None and step.after in inside
    ]
    added, led = _children(children, everywhere)
    source = "history" if outline is None else "definition"
    return Graph(source=source, nodes=[*nodes, *added], edges=[*edges, *led])


def _node(node: Mapping[str, Any], ids: Mapping[str, str], ran: Runs | None) -> GraphNode:
    parent = None if node["parent"] is None else ids[node["parent"]]
    names: dict[str, Any] = {name: node[name] for name in ("kind", "name", "detail", "reference")}
    return GraphNode(id=ids[node["id"]], parent=parent, **names, **_said(ran))


def _of_history(ran: Runs, known: Collection[str]) -> GraphNode:
    said: dict[str, Any] = {
        "reference": ran.reference,
        "name": ran.name,
        "kind": _KINDS.get(ran.kind, ran.kind),
        "detail": "",
    }
    return GraphNode(id=ran.reference, parent=_around(ran.reference, known), **said, **_said(ran))


_KINDS: Final = {"workflow": "run", "process": "run"}
"""Kinds of facts -> the task's keyword, as outlines have it."""


def _around(reference: str, known: Collection[str]) -> str | None:
    """The longest known reference that this one begins with."""
    around = reference
    while (around := around.rpartition("/")[0]) and around not in known:
        continue
    return around or None


def _said(ran: Runs | None) -> dict[str, Any]:
    if ran is None:
        return {}
    shown = ("status", "statuses", "runs", "retries", "error", "effect", "duration_ms", "active_ms")
    return {
        **{name: getattr(ran, name) for name in shown},
        "attempts": ran.runs if ran.kind != "try" else ran.runs + ran.retries,
        "started_at": ran.began,
        "ended_at": ran.ended,
    }


def _taken(
    runs: Sequence[Runs], steps: Iterable[Step], known: Iterable[str], *, completed: bool
) -> dict[tuple[str, str], int]:
    """How often each edge was taken, as far as the history tells."""
    taken = {(step.before, step.after): step.taken for step in steps if step.before is not None}
    top = [one for one in runs if _depth(one.reference) == 1]
    if top:
        taken[START, top[0].reference] = 1
        if completed:
            last = max(top, key=lambda one: (one.ended is not None, one.ended, one.first))
            taken[last.reference, END] = 1
    retries = {one.reference: one.retries for one in runs}
    for group in known:
        whole, _, last_part = group.rpartition("/")
        if last_part == "try" and whole in retries:
            taken[group, group] = retries[whole]
    return taken


def _depth(reference: str) -> int:
    return sum(1 for part in reference.split("/") if part.isdecimal())


def _edge(edge: Mapping[str, Any], ids: Mapping[str, str], taken: Mapping[tuple[str, str], int]) -> GraphEdge:
    start, end = ids[edge["from"]], ids[edge["to"]]
    # From one list into another, as by `exit` or an error, nobody counts: the tasks that it led to tell.
    within = _list(start) == _list(end) and edge["kind"] != "error"
    counted = taken.get((start, end), 0) if within else None
    return _led(start, end, edge["kind"], counted, edge["label"])


def _led(start: str, end: str, kind: str, taken: int | None, label: str = "") -> GraphEdge:
    return GraphEdge.model_validate({"from": start, "to": end, "kind": kind, "label": label, "taken": taken})


def _list(node: str) -> str:
    """The list that a task stands in; the start and the end stand beside the outermost tasks."""
    return "/do" if node in (START, END) else node.rsplit("/", 2)[0]


def _children(children: Sequence[Child], known: Collection[str]) -> tuple[list[GraphNode], list[GraphEdge]]:
    nodes, edges = [], []
    for child in children:
        names: dict[str, Any] = {"kind": "execution", "name": child.workflow, "detail": child.version, "reference": ""}
        times: dict[str, Any] = {
            "started_at": child.created_at,
            "ended_at": child.ended_at,
            "duration_ms": child.duration_ms or 0.0,
        }
        of = GraphChild(execution=child.id, namespace=child.namespace, link=child.link)
        nodes.append(GraphNode(id=child.id, parent=None, status=child.phase, runs=1, child=of, **names, **times))
        task = (child.task or "").partition("@")[0]
        if task in known:
            edges.append(_led(task, child.id, "child", 1))
    return nodes, edges


def drawable(graph: Graph) -> tuple[dict[str, Any], dict[str, Said]]:
    """As ``lowtide.model.drawing`` takes it: ids that need no quotes, and what is said of each."""
    ids = {node.id: node.id if node.id in (START, END) else f"n{number}" for number, node in enumerate(graph.nodes, 1)}
    nodes = [
        {
            **{"id": ids[node.id], "kind": node.kind, "name": node.name, "detail": node.detail},
            "parent": None if node.parent is None else ids[node.parent],
        }
        for node in graph.nodes
    ]
    edges = [
        {"from": ids[edge.from_], "to": ids[edge.to], "kind": edge.kind, "label": edge.label} for edge in graph.edges
    ]
    said = {ids[node.id]: _told(node) for node in graph.nodes if node.status is not None}
    return {"nodes": nodes, "edges": edges}, said


def _told(node: GraphNode) -> Said:
    parts = [node.status or ""]
    if node.runs > 1:
        parts.append(f"{node.runs} runs")
    if node.retries:
        parts.append(f"{node.retries} retries")
    if node.duration_ms:
        parts.append(f"{node.duration_ms / 1000:.3f} s")
    return Said(", ".join(parts), node.status or "", node.child.link if node.child else "")
