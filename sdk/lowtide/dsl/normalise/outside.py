"""Names of things outside the document: each becomes a reference that is resolved before the workflow runs.

What is fetched is pinned, so that its address must be known before: it cannot be computed, and is no URI template.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lowtide.dsl.jqlex import lex
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.outside.addresses import below, beside, function_at, function_path, split_name
from lowtide.dsl.outside.references import CATALOG, Catalog, Need, Reference
from lowtide.dsl.templates import MARKER
from lowtide.dsl.tree import Mark, Node
from lowtide.model.base import JSON
from lowtide.model.plan import ArrayTemplate, Expression, Interpolation, Literal_, ObjectTemplate, Template

__all__ = ["called", "catalogs_of", "fetched_schema"]

_SCHEMES: Final = ("http://", "https://", "file:")


def catalogs_of(draft: Draft, endpoints: dict[str, Template]) -> dict[str, Catalog]:
    """The catalogs of ``use``; ``endpoints`` are their templates, by name."""
    made: dict[str, Catalog] = {}
    for name, node in (draft.use.get("catalogs") or NOTHING).members.items():
        endpoint = node.get("endpoint") or NOTHING
        text = _uri_node(endpoint)
        uri = _fixed(draft, text, f"the catalog '{name}'") if text.text is not None else None
        made[name] = Catalog(uri, _policy(draft, endpoints[name], text.mark))
    return made


def called(draft: Draft, node: Node) -> str:
    """How a function's name is looked up in the plan: as it was written, or absolute where it was relative."""
    text = node.text or ""
    if text in (draft.use.get("functions") or NOTHING).members:
        return text
    need: Need | None = None
    name = text
    if text.startswith(("./", "../")):
        need = _beside(draft, text, node.mark)
        name = text if need is None else need.uri
    elif "://" in text or text.startswith("file:"):
        uri = _fixed(draft, node, "the function")
        need = None if uri is None else Need(function_at(uri))
    elif "@" in text:
        need = _in_catalog(draft, text, node.mark)
    if need is not None:
        draft.references.append(Reference("function", name, need, node.mark))
    return name


def fetched_schema(draft: Draft, endpoint: Node, template: Template) -> JSON:
    """The content of a schema that stands elsewhere, once it was fetched; ``None`` before."""
    node = _uri_node(endpoint)
    if node.text is None:
        return None  # the models have reported it
    if draft.origin is not None and "://" not in node.text and not node.text.startswith("file:"):
        need = _beside(draft, node.text, node.mark)
    else:
        uri = _fixed(draft, node, "the schema")
        need = None if uri is None else Need(uri, _policy(draft, template, node.mark))
    if need is None:
        return None
    draft.references.append(Reference("schema", node.text, need, node.mark))
    return draft.pinned.get(need)


def _uri_node(endpoint: Node) -> Node:
    return endpoint if endpoint.text is not None else endpoint.get("uri") or NOTHING


def _fixed(draft: Draft, node: Node, what: str) -> str | None:
    """An absolute URI that is known before anything runs; else ``None``, and it was reported."""
    text = (node.text or "").strip()
    if MARKER in text or "{" in text:
        kind = "computed" if MARKER in text else "a URI template"
        draft.report.error(
            node.mark,
            f"the address of {what} is {kind}, and it is fetched before the workflow runs",
            "write the whole URI, so that each execution of a version sees the same content",
        )
        return None
    if not text.startswith(_SCHEMES):
        draft.report.error(
            node.mark, f"'{text[:80]}' is not an absolute URI", f"begin the address of {what} with https:// or http://"
        )
        return None
    return text


def _in_catalog(draft: Draft, text: str, mark: Mark) -> Need | None:
    parts = split_name(text)
    if parts is None:
        draft.report.error(
            mark,
            f"'{text[:80]}' does not name a function of a catalog",
            "write name:version@catalog, as log:1.0.0@shop",
        )
        return None
    name, version, catalog = parts
    path = function_path(name, version)
    if catalog in draft.catalogs:
        known = draft.catalogs[catalog]
        return None if known.uri is None else Need(below(known.uri, path), known.authentication)
    if catalog == "default":
        return Need(CATALOG + path)
    meant = draft.report.suggest(catalog, [*draft.catalogs, "default"])
    whose = "use.catalogs" if draft.origin is None else "use.catalogs of the workflow"
    draft.report.error(
        mark,
        f"there is no catalog '{catalog}' in {whose}",
        f"did you mean '{name}:{version}@{meant}'?" if meant else f"define it in {whose}",
    )
    return None


def _beside(draft: Draft, text: str, mark: Mark) -> Need | None:
    """Relative to the function's own document, with its authentication as long as the origin stays the same."""
    if draft.origin is None:
        draft.report.error(mark, f"'{text[:80]}' is relative, and a workflow has no address", "write an absolute URL")
        return None
    uri = beside(draft.origin.uri, text)
    if uri is None:
        draft.report.error(mark, f"'{text[:80]}' leads out of the catalog", "stay below its root")
        return None
    same = _host(uri) == _host(draft.origin.need.uri)
    return Need(uri, draft.origin.need.authentication if same else None)


def _host(uri: str) -> list[str]:
    return uri.split("/")[:3]


def _policy(draft: Draft, template: Template, mark: Mark) -> Template | None:
    """The authentication of an endpoint; what it computes may depend on secrets alone."""
    match template:
        case ObjectTemplate(members=members):
            policy = members.get("authentication")
        case Literal_(value=dict(members)) if members.get("authentication") is not None:
            policy = Literal_(members["authentication"])
        case _:
            policy = None
    for expression in _expressions(policy):
        others = {name for name, _ in lex(expression.source).free} - {"secrets"}
        if others:
            draft.report.error(
                mark,
                f"this is fetched before the workflow runs, and its authentication needs ${min(others)}",
                "use $secrets alone in it",
            )
    return policy


def _expressions(template: Template | None) -> Iterator[Expression]:
    match template:
        case Expression():
            yield template
        case Interpolation(parts=parts):
            yield from (part for part in parts if isinstance(part, Expression))
        case ObjectTemplate(members=members):
            for member in members.values():
                yield from _expressions(member)
        case ArrayTemplate(items=items):
            for item in items:
                yield from _expressions(item)
        case _:
            return
