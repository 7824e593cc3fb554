"""HTTP Basic (RFC 7617)."""

from __future__ import annotations

from base64 import b64encode

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["header"]


def header(configuration: JSON) -> str:
    match configuration:
        case {"username": str(username), "password": str(password)}:
            return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
        case _:
            raise TaskFailed(standard_error("authentication", "basic authentication needs a username and a password"))
