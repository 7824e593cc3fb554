"""A plan as a picture: ``mermaid`` text, a ``tree`` for a terminal, a ``graph`` of nodes and edges as JSON."""

from lowtide.dsl.draw.graph import graph
from lowtide.dsl.draw.mermaid import mermaid
from lowtide.dsl.draw.tree import tree

__all__ = ["graph", "mermaid", "tree"]
