"""Authentication schemes: one file each, all with ``header(configuration) -> str``, the ``Authorization`` value."""

from __future__ import annotations

from lowtide.effects.auth import basic, bearer
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["authorization"]

_SCHEMES = {"basic": basic.header, "bearer": bearer.header}


def authorization(policy: JSON) -> str:
    """The header for an evaluated authentication policy.

    Raises ``TaskFailed``: ``configuration`` for a scheme that is not available, ``authentication`` for one whose
    values are missing.
    """
    if isinstance(policy, dict):
        for scheme, header in _SCHEMES.items():
            if scheme in policy:
                return header(policy[scheme])
    named = ", ".join(policy) if isinstance(policy, dict) else repr(policy)
    detail = f"authentication by {named} is not available in this installation (it has: {', '.join(_SCHEMES)})"
    raise TaskFailed(standard_error("configuration", detail))
