"""Bearer tokens (RFC 6750)."""

from __future__ import annotations

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["header"]


def header(configuration: JSON) -> str:
    match configuration:
        case {"token": str(token)} if token:
            return f"Bearer {token}"
        case _:
            raise TaskFailed(standard_error("authentication", "bearer authentication needs a token"))
