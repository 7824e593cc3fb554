"""A graph of nodes and edges as text: Mermaid for documents, DOT for Graphviz. Pure.

A node: ``{id, kind, name, detail, parent}``; an edge: ``{from, to, kind, label}``, as ``lowtide.dsl.draw.graph`` makes
them of a plan. Texts may hold anything; ids are names of their own, as ``n7``. Of an execution, nodes have more to say.
"""

from collections.abc import Mapping
from typing import Final

from lowtide.model.base import JSON, Noun

__all__ = ["Said", "dot", "mermaid"]


class Said(Noun, frozen=True):
    """What is known of a node: a ``note`` below its name, the colours of its ``status``, where it leads."""

    note: str = ""
    status: str = ""
    link: str = ""


_SHAPES: Final[dict[str, tuple[str, str]]] = {
    "start": ("([", "])"),
    "end": ("([", "])"),
    "switch": ("{", "}"),
    "emit": ("[/", "\\]"),
    "listen": ("[\\", "/]"),
    "wait": ("(", ")"),
    "raise": ("{{", "}}"),
    "run": ("[[", "]]"),
    "execution": ("[[", "]]"),
}
_ARROWS: Final = {"next": "-->", "then": "-->", "case": "-->", "error": "-.->", "loop": "-.->", "child": "==>"}

_DOT_SHAPES: Final = {"start": "oval", "end": "oval", "switch": "diamond", "execution": "component"}
_DOT_STYLES: Final = {"error": "dashed", "loop": "dashed", "child": "bold"}

_COLOURS: Final = {
    "completed": ("#d9f2e0", "#1a7f37"),
    "running": ("#dbeafe", "#1d4ed8"),
    "waiting": ("#fef3c7", "#b45309"),
    "retried": ("#fef3c7", "#b45309"),
    "pending": ("#dbeafe", "#1d4ed8"),
    "suspended": ("#ede9fe", "#6d28d9"),
    "skipped": ("#f3f4f6", "#6b7280"),
    "cancelled": ("#f3e8ff", "#7e22ce"),
    "faulted": ("#fee2e2", "#b91c1c"),
}
"""Status -> fill and stroke."""

_NOTHING: Final = Said()


def mermaid(graph: Mapping[str, JSON], said: Mapping[str, Said] | None = None) -> str:
    """``flowchart TD`` text: composites are subgraphs, cases and errors are labelled edges."""
    known = said or {}
    children = _children(graph)
    lines = ["flowchart TD"]
    _mermaid_nodes(None, children, known, lines, 1)
    for edge in graph["edges"]:
        if edge["from"] == edge["to"] and edge["from"] in children:
            continue  # Mermaid cannot lay out an edge from a subgraph to itself
        text = " ".join(edge["label"].split())
        label = f'|"{_escaped(text)}"|' if text else ""
        lines.append(f"  {edge['from']} {_ARROWS.get(edge['kind'], '-->')}{label} {edge['to']}")
    lines += [f'  click {id_} href "{_escaped(one.link)}"' for id_, one in known.items() if one.link]
    by_status: dict[str, list[str]] = {}
    for id_, one in known.items():
        if one.status in _COLOURS:
            by_status.setdefault(one.status, []).append(id_)
    for status, ids in by_status.items():
        fill, stroke = _COLOURS[status]
        lines.append(f"  classDef {status} fill:{fill},stroke:{stroke},color:#111827")
        lines.append(f"  class {','.join(ids)} {status}")
    return "\n".join(lines) + "\n"


def dot(graph: Mapping[str, JSON], said: Mapping[str, Said] | None = None) -> str:
    """A ``digraph``: a composite is a cluster with a node of its own, from and to which its edges go."""
    known = said or {}
    lines = [
        "digraph workflow {",
        '  rankdir=TB; node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    _dot_nodes(None, _children(graph), known, lines, 1)
    for edge in graph["edges"]:
        marks = [f"label={_quoted(edge['label'])}"] if edge["label"] else []
        marks += [f"style={_DOT_STYLES[edge['kind']]}"] if edge["kind"] in _DOT_STYLES else []
        lines.append(f"  {edge['from']} -> {edge['to']}{' [' + ', '.join(marks) + ']' if marks else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def _children(graph: Mapping[str, JSON]) -> dict[str | None, list[dict[str, JSON]]]:
    children: dict[str | None, list[dict[str, JSON]]] = {}
    for node in graph["nodes"]:
        children.setdefault(node["parent"], []).append(node)
    return children


def _mermaid_nodes(
    parent: str | None,
    children: Mapping[str | None, list[dict[str, JSON]]],
    known: Mapping[str, Said],
    lines: list[str],
    depth: int,
) -> None:
    indent = "  " * depth
    for node in children.get(parent, []):
        label = "<br/>".join(map(_escaped, _texts(node, known)))
        if node["id"] in children:
            lines.append(f'{indent}subgraph {node["id"]}["{label}"]')
            _mermaid_nodes(node["id"], children, known, lines, depth + 1)
            lines.append(f"{indent}end")
        else:
            opening, closing = _SHAPES.get(node["kind"], ("[", "]"))
            lines.append(f'{indent}{node["id"]}{opening}"{label}"{closing}')


def _dot_nodes(
    parent: str | None,
    children: Mapping[str | None, list[dict[str, JSON]]],
    known: Mapping[str, Said],
    lines: list[str],
    depth: int,
) -> None:
    indent = "  " * depth
    for node in children.get(parent, []):
        own = _dot_node(node, known)
        if node["id"] in children:
            lines.append(f"{indent}subgraph cluster_{node['id']} {{")
            lines.append(f'{indent}  style=rounded; color="#9ca3af"; {own}')
            _dot_nodes(node["id"], children, known, lines, depth + 1)
            lines.append(f"{indent}}}")
        else:
            lines.append(indent + own)


def _dot_node(node: Mapping[str, JSON], known: Mapping[str, Said]) -> str:
    one = known.get(node["id"], _NOTHING)
    marks = ["label=" + _quoted("\n".join(_texts(node, known)))]
    if node["kind"] in _DOT_SHAPES:
        marks.append(f"shape={_DOT_SHAPES[node['kind']]}")
    if one.status in _COLOURS:
        fill, stroke = _COLOURS[one.status]
        marks.append(f'fillcolor="{fill}", color="{stroke}"')
    if one.link:
        marks.append(f"URL={_quoted(one.link)}")
    return f"{node['id']} [{', '.join(marks)}];"


def _texts(node: Mapping[str, JSON], known: Mapping[str, Said]) -> list[str]:
    """The lines of a node's label."""
    what = "" if node["kind"] in ("start", "end", "group") else f"{node['kind']} {node['detail']}".strip()
    note = known.get(node["id"], _NOTHING).note
    return [text for text in (" ".join(part.split()) for part in (node["name"], what, note)) if text]


def _escaped(text: str) -> str:
    """Mermaid's entity codes for what it would read as markup."""
    return "".join(f"#{ord(character)};" if character in '"#<>&`\\;{}[]|' else character for character in text)


def _quoted(text: str) -> str:
    """As DOT's strings; ``\\n`` is a line's end there."""
    printable = "".join(character if character >= " " or character == "\n" else " " for character in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
