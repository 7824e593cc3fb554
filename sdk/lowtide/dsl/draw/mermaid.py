"""A plan as a Mermaid flowchart."""

from __future__ import annotations

from typing import Final

from lowtide.dsl.draw.graph import graph
from lowtide.model.base import JSON
from lowtide.model.plan import Plan

__all__ = ["mermaid"]

_SHAPES: Final[dict[str, tuple[str, str]]] = {
    "start": ("([", "])"),
    "end": ("([", "])"),
    "switch": ("{", "}"),
    "emit": ("[/", "\\]"),
    "listen": ("[\\", "/]"),
    "wait": ("(", ")"),
    "raise": ("{{", "}}"),
    "run": ("[[", "]]"),
}
_ARROWS: Final = {"next": "-->", "then": "-->", "case": "-->", "error": "-.->", "loop": "-.->"}


def mermaid(plan: Plan) -> str:
    """``flowchart TD`` text: composites are subgraphs, cases and errors are labelled edges."""
    drawn = graph(plan)
    children: dict[str | None, list[dict[str, JSON]]] = {}
    for node in drawn["nodes"]:
        children.setdefault(node["parent"], []).append(node)
    lines = ["flowchart TD"]
    _nodes(None, children, lines, 1)
    for edge in drawn["edges"]:
        if edge["from"] == edge["to"] and edge["from"] in children:
            continue  # Mermaid cannot lay out an edge from a subgraph to itself
        label = f'|"{_escaped(edge["label"])}"|' if edge["label"] else ""
        lines.append(f"  {edge['from']} {_ARROWS[edge['kind']]}{label} {edge['to']}")
    return "\n".join(lines) + "\n"


def _nodes(parent: str | None, children: dict[str | None, list[dict[str, JSON]]], lines: list[str], depth: int) -> None:
    indent = "  " * depth
    for node in children.get(parent, []):
        label = _label(node)
        if node["id"] in children:
            lines.append(f'{indent}subgraph {node["id"]}["{label}"]')
            _nodes(node["id"], children, lines, depth + 1)
            lines.append(f"{indent}end")
        else:
            opening, closing = _SHAPES.get(node["kind"], ("[", "]"))
            lines.append(f'{indent}{node["id"]}{opening}"{label}"{closing}')


def _label(node: dict[str, JSON]) -> str:
    name = _escaped(node["name"])
    if node["kind"] in ("start", "end", "group"):
        return name
    what = f"{node['kind']} {node['detail']}".strip()
    return f"{name}<br/>{_escaped(what)}"


def _escaped(text: str) -> str:
    """Mermaid's entity codes for what it would read as markup."""
    out = "".join(f"#{ord(character)};" if character in '"#<>&`\\;{}[]|' else character for character in text)
    return " ".join(out.split())
