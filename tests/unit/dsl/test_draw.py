"""Plans as pictures."""

import io
import re
from pathlib import Path

from rich.console import Console

from lowtide.dsl import plan
from lowtide.dsl.draw import graph, mermaid, tree
from lowtide.model.plan import Plan

EVERYTHING = plan((Path(__file__).parent / "everything.yaml").read_text())
SHOP = plan("""
document: {dsl: 1.0.3, namespace: default, name: shop, version: 1.0.0}
do:
- look:
    switch:
    - found: {when: '.item == "a \\"b\\" <c>"', then: buy}
    - lost: {then: exit}
- buy:
    try:
    - pay: {call: http, with: {method: post, endpoint: 'https://example.com/{id}'}}
    - leave: {wait: PT1S, then: exit}
    catch:
      retry: {limit: {attempt: {count: 2}}}
      do: [tell: {emit: {event: {with: {type: com.example.failed.v1}}}}]
      then: done
- again:
    do: [back: {set: {a: 1}, then: end}]
    then: look
- done: {wait: PT1M}
""")


def render(drawn: Plan) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(tree(drawn))
    return console.export_text()


def edges() -> set[tuple[str, str, str, str]]:
    drawn = graph(SHOP)
    names = {node["id"]: node["name"] for node in drawn["nodes"]}
    return {(names[edge["from"]], names[edge["to"]], edge["kind"], edge["label"]) for edge in drawn["edges"]}


def test_the_graph_follows_every_then_case_and_catch() -> None:
    assert edges() == {
        ("start", "look", "next", ""),
        ("look", "buy", "case", r'found: .item == "a \"b\" <c>"'),
        ("look", "end", "case", "lost"),
        ("pay", "leave", "next", ""),
        ("leave", "again", "then", "exit"),
        ("try", "catch error", "error", "error"),
        ("try", "try", "loop", "retry"),
        ("buy", "done", "error", "caught"),
        ("buy", "again", "next", ""),
        ("back", "end", "then", "end"),
        ("again", "look", "then", ""),
        ("done", "end", "next", ""),
    }


def test_a_node_knows_its_task_and_the_composite_it_is_in() -> None:
    nodes = {node["name"]: node for node in graph(SHOP)["nodes"]}
    assert nodes["pay"]["reference"] == "/do/1/buy/try/0/pay"
    assert nodes["pay"]["kind"] == "call"
    assert nodes["pay"]["detail"] == "POST https://example.com/{id}"
    assert nodes["pay"]["parent"] == nodes["try"]["id"]
    assert nodes["try"]["parent"] == nodes["buy"]["id"]


def test_mermaid_is_well_formed() -> None:
    for drawn in (mermaid(SHOP), mermaid(EVERYTHING)):
        lines = [line.strip() for line in drawn.splitlines()]
        assert lines[0] == "flowchart TD"
        assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
        node = re.compile(
            r'\w+(\(\[|\[\[|\[/|\[\\|\{\{|\{|\(|\[)"[^"<>`]*(<br/>[^"<>`]*)?"(\]\)|\]\]|\\\]|/\]|\}\}|\}|\)|\])'
        )
        group = re.compile(r'subgraph \w+\["[^"<>`]*(<br/>[^"<>`]*)?"\]')
        edge = re.compile(r'\w+ (-->|-\.->)(\|"[^"<>`|]*"\|)? \w+')
        for line in lines[1:]:
            assert line == "end" or node.fullmatch(line) or group.fullmatch(line) or edge.fullmatch(line), line


def test_labels_are_escaped() -> None:
    assert "#34;a #92;#34;b#92;#34; #60;c#62;#34;" in mermaid(SHOP)


def test_mermaid_draws_no_edge_from_a_subgraph_to_itself() -> None:
    assert not re.search(r"^\s*(\w+) -\S*(\|.*\|)? \1$", mermaid(SHOP), re.MULTILINE)


def test_the_tree_shows_every_task() -> None:
    text = render(SHOP)
    for name in ("look", "buy", "pay", "tell", "again", "back", "done"):
        assert name in text
    assert "found when .item ==" in text
    assert "→ exit" in text


def test_names_are_no_markup_in_the_tree() -> None:
    odd = plan(
        "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n- '[red]x[/]': {set: '${ [.a][0] }'}\n"
    )
    assert "[red]x[/] set [.a][0]" in render(odd)
