"""An operation by its id, with what its path adds to it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from lowtide.effects.openapi.document import OpenApi, misfit
from lowtide.model.base import JSON, Value

__all__ = ["Operation", "find"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Operation(Value, frozen=True):
    """``path`` is its template; ``parameters`` are its own and those of its path, references resolved.

    ``servers`` are those of the operation or of its path, where they have any.
    """

    id: str
    method: str
    path: str
    members: dict[str, JSON]
    parameters: tuple[dict[str, JSON], ...]
    servers: list[JSON]


def find(document: OpenApi, operation_id: str) -> Operation:
    """Raises ``TaskFailed`` (``configuration``) naming what the author may have meant."""
    known: list[str] = []
    paths = document.resolved(document.root.get("paths"))
    for path, node in paths.items():
        item = document.resolved(node)
        for method in _METHODS:
            members = item.get(method)
            if not isinstance(members, dict):
                continue
            if members.get("operationId") == operation_id:
                servers = members.get("servers") or item.get("servers") or []
                return Operation(operation_id, method, path, members, _parameters(document, item, members), servers)
            known.append(str(members.get("operationId")))
    meant = get_close_matches(operation_id, known, 1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"it has {', '.join(known[:20]) or 'none'}"
    raise misfit(f"{document.uri} has no operation {operation_id!r}; {hint}")


def _parameters(document: OpenApi, item: dict[str, JSON], members: dict[str, JSON]) -> tuple[dict[str, JSON], ...]:
    """An operation's parameter replaces the path's of the same name and place."""
    merged: dict[tuple[JSON, JSON], dict[str, JSON]] = {}
    for node in [*(item.get("parameters") or []), *(members.get("parameters") or [])]:
        parameter = document.resolved(node)
        merged[(parameter.get("in"), parameter.get("name"))] = parameter
    return tuple(merged.values())
