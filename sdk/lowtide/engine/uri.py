"""Endpoints with ``{name}``: RFC 6570 simple expansion, of top-level members of the task's input alone.

Only text that stands in the document is expanded; what an expression gave is taken as it is, so that data never
becomes a template (dsl.md, "Runtime Expressions", the warning on injection).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error
from lowtide.model.plan import Literal_, ObjectTemplate, Template

__all__ = ["expand", "expand_endpoints"]

_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")
_ENDPOINTS: Final = frozenset({"endpoint", "uri", "server", "document", "proto", "agentCard", "transport", "http"}) | {
    "authentication",
    "oauth2",
    "oidc",
    "authority",
}


def expand_endpoints(template: Template, rendered: JSON, value: JSON) -> JSON:
    """``rendered``, with the document's own URI templates expanded from ``value``."""
    if not isinstance(rendered, dict):
        return rendered
    result = dict(rendered)
    for name in sorted(_ENDPOINTS & rendered.keys()):
        member = _member(template, name)
        if member is None:
            continue
        if isinstance(rendered[name], dict):
            result[name] = expand_endpoints(member, rendered[name], value)
        elif isinstance(member, Literal_) and isinstance(rendered[name], str):
            result[name] = expand(rendered[name], value)
    return result


def _member(template: Template, name: str) -> Template | None:
    match template:
        case ObjectTemplate(members=members):
            return members.get(name)
        case Literal_(value=dict(members)):
            return Literal_(members[name]) if name in members else None
        case _:
            return None


def expand(template: str, value: JSON) -> str:
    """Missing names give nothing; a value that is no scalar raises ``TaskFailed`` (``expression``, 400)."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        member = value.get(name) if isinstance(value, dict) else None
        match member:
            case None:
                return ""
            case bool():
                return "true" if member else "false"
            case str() | int() | float():
                return quote(str(member), safe="-._~")
            case _:
                detail = f"`{{{name}}}` in {template!r} must be text or a number, it is {type(member).__name__}"
                raise TaskFailed(standard_error("expression", detail))

    return _VARIABLE.sub(replace, template)
