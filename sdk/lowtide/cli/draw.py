"""``lowtide draw``: a workflow as a tree, a Mermaid diagram or a graph."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lowtide.cli import given
from lowtide.cli.shown import show_json

__all__ = ["Form", "draw"]


class Form(StrEnum):
    tree = "tree"
    mermaid = "mermaid"
    json = "json"


def draw(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A workflow document (YAML or JSON), or -.")],
    form: Annotated[Form, typer.Option("--format", "-f", help="What to draw.")] = Form.tree,
) -> None:
    """Draw a workflow: a tree for the terminal, Mermaid for documents, JSON nodes and edges for programs."""
    from lowtide.dsl import draw as drawn
    from lowtide.dsl import plan

    workflow = plan(given.text_of(file), "stdin" if file == "-" else file)
    if form is Form.mermaid:
        print(drawn.mermaid(workflow))
    elif form is Form.json:
        show_json(drawn.graph(workflow))
    else:
        from rich.console import Console

        Console().print(drawn.tree(workflow))
