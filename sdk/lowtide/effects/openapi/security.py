"""What a document says of keys, and the authentication that the workflow gives.

Schemes of HTTP (basic, bearer, OAuth 2.0, OpenID Connect) are what the workflow's authentication is for: it is handed
on. A scheme of kind ``apiKey`` has a place of its own: its key is the value that is given under the scheme's name or
the key's name, or the token of a ``bearer`` authentication where the document knows no other scheme.
"""

from __future__ import annotations

from lowtide.effects.openapi.document import OpenApi
from lowtide.effects.openapi.operation import Operation
from lowtide.effects.openapi.parameters import Placed, text_of
from lowtide.model.base import JSON

__all__ = ["secure"]


def secure(document: OpenApi, operation: Operation, placed: Placed, policy: JSON) -> JSON:
    """Puts keys in their places; the authentication that is left for HTTP."""
    schemes = _schemes(document, operation)
    keys = {name: scheme for name, scheme in schemes.items() if scheme.get("type") == "apiKey"}
    for name, scheme in keys.items():
        where, key = str(scheme.get("in")), str(scheme.get("name"))
        given = name if name in placed.rest else key
        if given in placed.rest:
            placed.put(where, key, text_of(placed.rest.pop(given)))
        elif len(keys) == len(schemes) == 1 and isinstance(policy, dict) and isinstance(policy.get("bearer"), dict):
            placed.put(where, key, text_of(policy["bearer"].get("token")))
            return None
    return policy


def _schemes(document: OpenApi, operation: Operation) -> dict[str, dict[str, JSON]]:
    """The schemes that the operation names in any of its alternatives."""
    wanted = operation.members.get("security", document.root.get("security")) or []
    names = [name for alternative in wanted if isinstance(alternative, dict) for name in alternative]
    if document.swagger:
        known = document.resolved(document.root.get("securityDefinitions"))
    else:
        known = document.resolved(document.resolved(document.root.get("components")).get("securitySchemes"))
    return {name: document.resolved(known.get(name)) for name in names}
