"""Where an operation is served."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from lowtide.effects.openapi.document import OpenApi
from lowtide.effects.openapi.operation import Operation

__all__ = ["base_uri"]


def base_uri(document: OpenApi, operation: Operation) -> str:
    """The absolute URI before the operation's path, without a slash at its end.

    Swagger 2.0: ``schemes`` (https is preferred), ``host`` and ``basePath``, each taken from where the document was
    found when it is missing. OpenAPI 3: the first server, its variables by their defaults, relative to the document.
    """
    if not document.swagger:
        servers = operation.servers or document.root.get("servers") or [{}]
        return urljoin(document.uri, _filled(servers[0] if isinstance(servers[0], dict) else {})).rstrip("/")
    found = urlsplit(document.uri)
    schemes = operation.members.get("schemes") or document.root.get("schemes") or [found.scheme]
    scheme = "https" if "https" in schemes else schemes[0]
    host = document.root.get("host") or found.netloc
    path = str(document.root.get("basePath") or "").strip("/")
    return f"{scheme}://{host}/{path}".rstrip("/")


def _filled(server: dict[str, object]) -> str:
    variables = server.get("variables")
    defaults = variables if isinstance(variables, dict) else {}

    def default(match: re.Match[str]) -> str:
        variable = defaults.get(match[1])
        return str(variable.get("default", "")) if isinstance(variable, dict) else match[0]

    return re.sub(r"\{([^{}]+)\}", default, str(server.get("url") or "/"))
