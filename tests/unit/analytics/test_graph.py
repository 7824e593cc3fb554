"""A definition and what happened become one graph."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics_api.answers import Child, Graph
from analytics_api.graph import drawable, graph_of
from analytics_api.happened import Runs, Step
from lowtide.dsl.draw import graph as outline
from lowtide.model import drawing
from tests.plays import document

_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

_SHOP = outline(
    document("""
do:
  - choose: {switch: [{big: {when: .total > 9, then: ask}}, {small: {then: end}}]}
  - ask:
      try: [{call: {call: http, with: {method: get, endpoint: 'http://x'}}}]
      catch: {retry: {limit: {attempt: {count: 2}}}, do: [{sorry: {set: {ok: false}}}]}
  - ship: {run: {workflow: {namespace: shop, name: ship, version: '1'}}}
""")
)


def _ran(reference: str, first: int, kind: str = "call", **given: Any) -> Runs:
    name = reference.rpartition("/")[2]
    values: dict[str, Any] = {"runs": 1, "status": "completed", "began": _NOON + timedelta(seconds=first)}
    return Runs(reference=reference, name=name, kind=kind, first=first, **{**values, **given})


_HISTORY = (
    _ran("/do/0/choose", 1, "switch"),
    _ran("/do/1/ask", 2, "try", retries=2),
    _ran("/do/1/ask/try/0/call", 3, runs=3, attempt=3, statuses={"faulted": 2, "completed": 1}),
    _ran("/do/2/ship", 9, "workflow", status="waiting"),
)
_STEPS = (Step(None, "/do/0/choose", 1), Step("/do/0/choose", "/do/1/ask", 1), Step("/do/1/ask", "/do/2/ship", 1))
_CHILD = Child(
    id="c-1", namespace="shop", workflow="ship", version="1", phase="running", task="/do/2/ship@1.3",
    created_at=_NOON, ended_at=None, duration_ms=None, link="/v1/namespaces/shop/executions/c-1",
)  # fmt: skip


def _taken(graph: Graph) -> dict[tuple[str, str, str], int | None]:
    return {(edge.from_, edge.to, edge.kind): edge.taken for edge in graph.edges}


def test_each_task_has_its_history_and_those_that_were_not_reached_have_none() -> None:
    graph = graph_of(_SHOP, _HISTORY, _STEPS, [], completed=False)
    nodes = {node.id: node for node in graph.nodes}
    assert graph.source == "definition"
    assert (nodes["/do/1/ask"].status, nodes["/do/1/ask"].attempts, nodes["/do/1/ask"].retries) == ("completed", 3, 2)
    call = nodes["/do/1/ask/try/0/call"]
    assert (call.runs, call.statuses, call.parent) == (3, {"faulted": 2, "completed": 1}, "/do/1/ask/try")
    sorry = nodes["/do/1/ask/catch/do/0/sorry"]
    assert (sorry.status, sorry.runs, sorry.kind) == (None, 0, "set")


def test_edges_tell_which_way_it_went() -> None:
    taken = _taken(graph_of(_SHOP, _HISTORY, _STEPS, [], completed=False))
    assert taken["start_", "/do/0/choose", "next"] == 1
    assert taken["/do/0/choose", "/do/1/ask", "case"] == 1
    assert taken["/do/0/choose", "end_", "case"] == 0
    assert taken["/do/1/ask/try", "/do/1/ask/try", "loop"] == 2
    assert taken["/do/1/ask/try", "/do/1/ask/catch", "error"] is None
    assert taken["/do/2/ship", "end_", "next"] == 0
    short = [_ran("/do/0/choose", 1, "switch", ended=_NOON)]
    assert _taken(graph_of(_SHOP, short, _STEPS[:1], [], completed=True))["/do/0/choose", "end_", "case"] == 1


def test_children_are_nodes_with_a_link_below_the_task_that_runs_them() -> None:
    graph = graph_of(_SHOP, _HISTORY, _STEPS, [_CHILD], completed=False)
    (node,) = [node for node in graph.nodes if node.kind == "execution"]
    assert (node.id, node.status, node.child and node.child.link) == ("c-1", "running", _CHILD.link)
    assert _taken(graph)["/do/2/ship", "c-1", "child"] == 1


def test_what_is_in_no_outline_is_attached_to_the_task_that_it_belongs_to() -> None:
    inside = _ran("/do/2/ship/do/0/weigh", 10), _ran("/do/2/ship/do/1/pack", 11)
    step = Step(inside[0].reference, inside[1].reference, 1)
    graph = graph_of(_SHOP, [*_HISTORY, *inside], [*_STEPS, step], [], completed=False)
    assert {node.parent for node in graph.nodes if "/ship/do/" in node.id} == {"/do/2/ship"}
    assert _taken(graph)[inside[0].reference, inside[1].reference, "next"] == 1


def test_without_a_definition_the_history_alone_is_drawn() -> None:
    graph = graph_of(None, _HISTORY, _STEPS, [_CHILD], completed=False)
    parents = {node.id: (node.kind, node.parent) for node in graph.nodes}
    assert graph.source == "history"
    assert parents["/do/1/ask/try/0/call"] == ("call", "/do/1/ask")
    assert parents["/do/2/ship"] == ("run", None)
    assert _taken(graph)["/do/0/choose", "/do/1/ask", "next"] == 1
    assert graph_of(None, [], [], [], completed=False).nodes == []


def test_it_is_drawn_as_mermaid_and_as_dot_with_colours_and_links() -> None:
    drawn = drawable(graph_of(_SHOP, _HISTORY, _STEPS, [_CHILD], completed=False))
    mermaid, dot = drawing.mermaid(*drawn), drawing.dot(*drawn)
    assert "completed, 3 runs" in mermaid
    assert "click n" in mermaid
    assert f'href "{_CHILD.link}"' in mermaid
    assert "classDef waiting" in mermaid
    assert dot.startswith("digraph workflow {")
    assert dot.rstrip().endswith("}")
    assert dot.count("{") == dot.count("}")
    assert f'URL="{_CHILD.link}"' in dot
    assert "subgraph cluster_" in dot


def test_no_text_breaks_out_of_a_drawing() -> None:
    node = {"id": "n1", "kind": "call", "name": 'a "b" \\ {c} <d>\n]; evil', "detail": "\x00\x1b|x|", "parent": None}
    graph = {"nodes": [node], "edges": [{"from": "n1", "to": "n1", "kind": "case", "label": '"; evil ['}]}
    assert '\\"b\\" \\\\ {c}' in drawing.dot(graph)
    assert "\x00" not in drawing.dot(graph)
    assert len(drawing.dot(graph).splitlines()) == 6
    assert len(drawing.mermaid(graph).splitlines()) == 3
    assert '"b"' not in drawing.mermaid(graph)
