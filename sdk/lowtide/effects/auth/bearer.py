"""Bearer tokens (RFC 6750)."""

from __future__ import annotations

from lowtide.effects.auth.credentials import Fixed, text_of
from lowtide.model.base import JSON

__all__ = ["credentials"]


def credentials(configuration: JSON) -> Fixed:
    """``{token}``; of a secret that is nothing but the token, its text."""
    token = text_of({"token": configuration} if isinstance(configuration, str) else configuration, "token", "bearer")
    return Fixed(f"Bearer {token}", (token,))
