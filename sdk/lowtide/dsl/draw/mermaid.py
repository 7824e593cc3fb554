"""A plan as a Mermaid flowchart."""

from __future__ import annotations

from lowtide.dsl.draw.graph import graph
from lowtide.model import drawing
from lowtide.model.plan import Plan

__all__ = ["mermaid"]


def mermaid(plan: Plan) -> str:
    """``flowchart TD`` text: composites are subgraphs, cases and errors are labelled edges."""
    return drawing.mermaid(graph(plan))
