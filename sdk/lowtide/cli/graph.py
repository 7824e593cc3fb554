"""``lowtide graph``: what one execution went through, as a tree on the terminal, as Mermaid or as DOT."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lowtide.cli.server import DEFAULT_SERVER, Form, Namespace, Output, Server, ask_analytics
from lowtide.cli.shown import MARKS, show_json
from lowtide.cli.timeline import took
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["Drawn", "graph"]


class Drawn(StrEnum):
    tree = "tree"
    mermaid = "mermaid"
    dot = "dot"


_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Format = Annotated[Drawn, typer.Option("--format", "-f", help="How to draw it.")]


def graph(
    execution: _Id,
    form: _Format = Drawn.tree,
    output: Output = Form.text,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Draw one execution: its tasks with their status, runs, retries, durations and errors, and its children."""
    if output is Form.json and form is not Drawn.tree:
        raise InvalidInput(f"--output json is the graph as data; leave --format {form} out")
    wanted = "json" if form is Drawn.tree else str(form)
    found = ask_analytics(server, lambda api: api.graph(namespace, execution, wanted))
    if form is not Drawn.tree:
        print(found, end="")
    elif output is Form.json:
        show_json(found)
    else:
        from rich.console import Console

        Console().print(_tree(found, execution))


def _tree(found: dict[str, JSON], execution: str) -> Tree:
    from rich.tree import Tree

    root = Tree(execution)
    below: dict[str | None, list[dict[str, JSON]]] = {}
    runs_it = {edge["to"]: edge["from"] for edge in found["edges"] if edge["kind"] == "child"}
    for node in found["nodes"]:
        if node["kind"] not in ("start", "end"):
            below.setdefault(runs_it.get(node["id"], node["parent"]), []).append(node)

    def grow(branch: Tree, parent: str | None) -> None:
        for node in below.get(parent, []):
            grow(branch.add(_label(node)), node["id"])

    grow(root, None)
    return root


def _label(node: dict[str, JSON]) -> str:
    from rich.markup import escape

    if node["kind"] == "group":
        return f"[dim]{escape(node['name'])}[/]"
    mark = MARKS.get(node["status"] or "", "·")
    label = f"{mark} [bold]{escape(node['name'])}[/] [cyan]{node['kind']}[/]"
    if node["detail"]:
        label += f" {escape(node['detail'])}"
    if node["status"] is None:
        return f"[dim]{label}[/]"
    label += f" [dim]{node['status']} {took(node['durationMs'])}[/]"
    if node["runs"] > 1:
        label += f" [dim]{node['runs']} runs[/]"
    if node["retries"]:
        label += f" [yellow]{node['retries']} retries[/]"
    if node["child"]:
        label += f" {node['child']['execution']}"
    if node["error"]:
        error = node["error"]
        said = error.get("detail") or error.get("title") or error.get("type") if isinstance(error, dict) else error
        label += f" [red]{escape(str(said))}[/]"
    return label
