"""The words of the grammar that several modules need: what makes a mapping a task, and of which kind."""

from __future__ import annotations

from typing import Final

from lowtide.model.base import JSON

__all__ = ["BASE", "CALLS", "DIRECTIVES", "TASKS", "keyword_of"]

TASKS: Final = ("call", "for", "do", "emit", "fork", "listen", "raise", "run", "set", "switch", "try", "wait")
"""A task is of the kind of the first of these that it has: ``for`` stands before ``do``, which a ``for`` also has."""

BASE: Final = ("if", "input", "output", "export", "timeout", "then", "metadata")
"""What every task may have."""

CALLS: Final = ("http", "grpc", "openapi", "asyncapi", "mcp", "a2a")
"""The calls that the standard defines; any other name is that of a function."""

DIRECTIVES: Final = ("continue", "exit", "end")


def keyword_of(value: JSON) -> str | None:
    """The keyword of a task, or ``None`` when it has none."""
    if not isinstance(value, dict):
        return None
    for keyword in TASKS:
        if keyword in value:
            return keyword
    return None
