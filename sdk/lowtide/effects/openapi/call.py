"""The effect: an operation of a document, performed as the HTTP call that the document says it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from lowtide.effects.documents import Documents
from lowtide.effects.openapi.body import accepted, take_body
from lowtide.effects.openapi.document import OpenApi, misfit, parse
from lowtide.effects.openapi.operation import find
from lowtide.effects.openapi.parameters import place
from lowtide.effects.openapi.security import secure
from lowtide.effects.openapi.server import base_uri
from lowtide.effects.resource import Resources
from lowtide.model.base import JSON
from lowtide.model.command import Perform

__all__ = ["OpenApiCall"]


class OpenApiCall:
    """``http`` performs ``call: http``."""

    def __init__(self, resources: Resources, http: Callable[[Perform, str], Awaitable[JSON]]) -> None:
        self._documents = Documents(resources, parse, "the OpenAPI document")
        self._http = http

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Raises ``TaskFailed``: ``configuration`` where document and arguments do not fit, else as ``call: http``."""
        given = command.arguments
        document = await self._documents.fetch(given.get("document"))
        arguments = _request(document, given)
        return await self._http(msgspec.structs.replace(command, call="http", arguments=arguments), idempotency_key)


def _request(document: OpenApi, given: dict[str, JSON]) -> JSON:
    """The arguments of the ``call: http`` that the operation is."""
    operation = find(document, str(given.get("operationId")))
    values = given.get("parameters") or {}
    if not isinstance(values, dict):
        raise misfit("`with.parameters` must be an object of the parameters' names and values")
    placed = place(document, operation, values)
    policy = secure(document, operation, placed, given.get("authentication"))
    body, kind = take_body(document, operation, placed)
    headers = {"Accept": accepted(document, operation), "Content-Type": kind, "Cookie": "; ".join(placed.cookies)}
    uri = base_uri(document, operation) + placed.path
    if placed.query:
        uri += ("&" if "?" in uri else "?") + "&".join(placed.query)
    return {
        "method": operation.method,
        "endpoint": uri if policy is None else {"uri": uri, "authentication": policy},
        "headers": {**{name: value for name, value in headers.items() if value}, **placed.headers},
        "body": body,
        "output": given.get("output"),
        "redirect": given.get("redirect", False),
    }
