"""The effect: an operation of a document, performed as the HTTP call that the document says it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final

import msgspec

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

_KEPT: Final = 32


class OpenApiCall:
    """``http`` performs ``call: http``. Documents that were read are kept, by their content."""

    def __init__(self, resources: Resources, http: Callable[[Perform, str], Awaitable[JSON]]) -> None:
        self._resources = resources
        self._http = http
        self._documents: OrderedDict[tuple[str, bytes], OpenApi] = OrderedDict()

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Raises ``TaskFailed``: ``configuration`` where document and arguments do not fit, else as ``call: http``."""
        given = command.arguments
        document = await self._document(given.get("document"))
        arguments = _request(document, given)
        return await self._http(msgspec.structs.replace(command, call="http", arguments=arguments), idempotency_key)

    async def _document(self, named: JSON) -> OpenApi:
        resource = await self._resources.fetch(named, "the OpenAPI document")
        key = (resource.uri, blake2b(resource.body, digest_size=16).digest())
        known = self._documents.get(key)
        if known is None:
            known = self._documents[key] = parse(resource.body, resource.uri)
        self._documents.move_to_end(key)
        while len(self._documents) > _KEPT:
            self._documents.popitem(last=False)
        return known


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
