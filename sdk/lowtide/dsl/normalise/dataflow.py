"""``input``, ``output``, ``export`` and the schemas in them."""

from __future__ import annotations

from dataclasses import replace

from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.outside import fetched_schema
from lowtide.dsl.normalise.scope import Scope
from lowtide.dsl.normalise.values import structure
from lowtide.dsl.tree import Node
from lowtide.model.plan import Export, Input, Output, Schema

__all__ = ["export_of", "input_of", "output_of", "schema_of"]


def input_of(draft: Draft, node: Node | None, scope: Scope) -> Input | None:
    if node is None:
        return None
    return Input(schema_of(draft, node.get("schema"), scope), draft.flow(node.get("from"), scope))


def output_of(draft: Draft, node: Node | None, scope: Scope) -> Output | None:
    if node is None:
        return None
    return Output(schema_of(draft, node.get("schema"), scope), draft.flow(node.get("as"), scope))


def export_of(draft: Draft, node: Node | None, scope: Scope) -> Export | None:
    if node is None:
        return None
    return Export(schema_of(draft, node.get("schema"), scope), draft.flow(node.get("as"), scope))


def schema_of(draft: Draft, node: Node | None, scope: Scope) -> Schema | None:
    """Inline (``document``, never a template), or external: its endpoint, and its content once it was fetched."""
    if node is None:
        return None
    document, endpoint, format_ = node.get("document"), node.get("resource", "endpoint"), node.get("format")
    draft.schemas.append(node)
    scope = replace(scope, shows=False)  # what fetches a schema is no part of the value that it is for
    resource = structure(draft, endpoint, scope) if endpoint is not None else None
    fetched = fetched_schema(draft, endpoint, resource) if endpoint is not None and resource is not None else None
    return Schema(
        document=document.value if document is not None else fetched,
        resource=resource,
        format=(format_.text if format_ is not None else None) or "json",
    )
