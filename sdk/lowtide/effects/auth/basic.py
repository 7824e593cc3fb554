"""HTTP Basic (RFC 7617)."""

from __future__ import annotations

from base64 import b64encode

from lowtide.effects.auth.credentials import Fixed, text_of
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["credentials"]


def credentials(configuration: JSON) -> Fixed:
    """``{username, password}``."""
    username, password = (text_of(configuration, member, "basic") for member in ("username", "password"))
    if ":" in username:
        detail = "a username with a colon cannot be sent by basic authentication"
        raise TaskFailed(standard_error("authentication", detail))
    encoded = b64encode(f"{username}:{password}".encode()).decode()
    return Fixed(f"Basic {encoded}", (password, encoded))
