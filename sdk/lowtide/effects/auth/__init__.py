"""Authentication, one file per scheme.

``basic`` ``bearer`` ``digest``  the schemes of HTTP; ``challenges`` reads what servers ask
``oauth2`` ``oidc``              access tokens from an authorization server: ``configuration`` and ``grants``
                                 (what is asked), ``client`` and ``signing`` (who asks), ``tokens`` (asking),
                                 ``kept`` (the cache)
``credentials``                  what all schemes have in common, and masking
``authenticator``                the schemes of one process together: what effects use
"""

from lowtide.effects.auth.authenticator import Authenticator
from lowtide.effects.auth.credentials import Credentials, mask

__all__ = ["Authenticator", "Credentials", "mask"]
