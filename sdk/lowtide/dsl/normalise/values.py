"""Durations, endpoints and authentications: values with a structure that the plan resolves."""

from __future__ import annotations

import json
from typing import Final

from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.scope import Scope
from lowtide.dsl.templates import MARKER
from lowtide.dsl.tree import Node
from lowtide.model.duration import to_millis
from lowtide.model.plan import ArrayTemplate, Expression, Literal_, ObjectTemplate, Template

__all__ = ["authentication", "duration", "structure", "timeout"]

_DATA: Final = frozenset(
    {
        "arguments",
        "body",
        "environment",
        "headers",
        "message",
        "metadata",
        "options",
        "parameters",
        "query",
        "variables",
        "volumes",
        "ports",
    }
)
"""Members of a call's arguments below which everything is the author's own data: no references are resolved there."""


_NAMES: Final = frozenset(
    {"channel", "grant", "language", "method", "operation", "operationId", "output", "protocol", "protocolVersion"}
)
"""Members whose text is a name of the standard or of another document: literal also in loose mode."""


def duration(draft: Draft, node: Node | None, scope: Scope) -> Template | None:
    """Milliseconds when constant, else a template that gives ISO 8601 text or a duration object."""
    if node is None:
        return None
    if node.text is not None and MARKER in node.text:
        return draft.expression(node, scope)
    if node.is_mapping and any(MARKER in (child.text or "") for child in node.members.values()):
        return draft.template(node, scope, lenient=False)
    try:
        return Literal_(to_millis(node.value))
    except ValueError:
        return Literal_(0)  # the models have reported it


def timeout(draft: Draft, node: Node | None, scope: Scope) -> Template | None:
    """``timeout``: inline, or the name of one in ``use.timeouts``."""
    if node is not None and node.text is not None:
        if _is_duration(node.text):
            draft.report.error(node.mark, f"'{node.text}' stands where a timeout is", f"write {{after: {node.text}}}")
            return None
        node = draft.refer("timeouts", node)
    return duration(draft, node.get("after"), scope) if node is not None else None


def _is_duration(text: str) -> bool:
    try:
        return to_millis(text) >= 0
    except ValueError:
        return False


def structure(draft: Draft, node: Node, scope: Scope) -> Template:
    """The arguments of a call: as any template, with every ``authentication`` by name replaced by what it names."""
    if node.is_mapping:
        members: dict[str, Template] = {}
        for key, child in node.members.items():
            if key == "authentication":
                members[key] = authentication(draft, child, scope)
            elif key in _DATA or key in _NAMES:
                members[key] = draft.template(child, scope, lenient=key in _DATA)
            else:
                members[key] = structure(draft, child, scope)
        if all(type(member) is Literal_ for member in members.values()):
            return Literal_({key: member.value for key, member in members.items() if isinstance(member, Literal_)})
        return ObjectTemplate(members)
    if node.is_list:
        items = tuple(structure(draft, child, scope) for child in node.items)
        return Literal_(node.value) if all(type(item) is Literal_ for item in items) else ArrayTemplate(items)
    return draft.template(node, scope)


def authentication(draft: Draft, node: Node, scope: Scope) -> Template:
    """A policy, inline or by name (``use: name``, or the bare name); one from a secret becomes ``$secrets.name``."""
    reference = node if node.text is not None else node.get("use")
    if reference is not None and reference.text is not None and MARKER not in reference.text:
        node = draft.refer("authentications", reference) or node
    for scheme, configuration in node.members.items():
        secret = configuration.get("use")
        if secret is not None and secret.text is not None and MARKER not in secret.text:
            draft.secrets.append((secret.text, secret.mark))
            line, column = secret.mark
            name = json.dumps(secret.text, ensure_ascii=False)
            return ObjectTemplate({scheme: Expression(f"$secrets[{name}]", f"{line}:{column}")})
    return draft.template(node, scope, lenient=False)
