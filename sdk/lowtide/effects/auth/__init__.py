"""Authentication, one file per scheme.

``basic`` ``bearer`` ``digest``  the schemes of HTTP; ``challenges`` reads what servers ask
``oauth2`` ``oidc``              access tokens from an authorization server: ``configuration`` and ``grants``
                                 (what is asked), ``client`` and ``signing`` (who asks), ``tokens`` (asking),
                                 ``kept`` (the cache)
``credentials``                  what all schemes have in common, and masking
``authenticator``                the schemes of one process together: what effects use
"""

from __future__ import annotations

from lowtide.effects.auth import basic, bearer
from lowtide.effects.auth.authenticator import Authenticator
from lowtide.effects.auth.credentials import Credentials, mask
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["Authenticator", "Credentials", "authorization", "mask"]


def authorization(policy: JSON) -> str:
    """The header of a policy that needs neither a question nor an authorization server: basic or bearer."""
    match policy:
        case {"basic": configuration}:
            return basic.credentials(configuration).value
        case {"bearer": configuration}:
            return bearer.credentials(configuration).value
    raise TaskFailed(standard_error("configuration", "only basic and bearer authentication can be used here"))
