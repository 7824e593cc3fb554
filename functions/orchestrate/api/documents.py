"""Request bodies: which content types are taken, and the text or JSON in them."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.telemetry.tracing import current
from lowtide.wire import json
from lowtide.wire.traces import carried

from ..problems import UnsupportedType

__all__ = ["DOCUMENT_BODY", "JSON_BODY", "document_text", "json_body", "media_type", "reply", "trace_of"]

_DOCUMENTS: Final = ("text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml", "application/json")

_EXAMPLE: Final = """document:
  dsl: 1.0.3
  namespace: shop
  name: greet
  version: 1.0.0
do:
  - hello:
      set:
        greeting: ${ "Hello " + .name }
"""

DOCUMENT_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": _EXAMPLE},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


def JSON_BODY(example: JSON, *, required: bool = False) -> dict[str, JSON]:
    """The OpenAPI of a body that may be any JSON."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": {}, "example": example}}}}


def media_type(request: Request) -> str:
    """What the body is said to be, without parameters, in lower case; empty where nothing says it."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def document_text(request: Request) -> bytes:
    """A workflow document as it was sent; YAML includes JSON."""
    given = media_type(request)
    if given not in _DOCUMENTS:
        raise UnsupportedType(
            f"Content-Type {given or 'missing'}: send the document as application/yaml or application/json"
        )
    return await request.body()


async def json_body(request: Request, default: JSON = None) -> tuple[JSON, bytes]:
    """The body's JSON and its bytes; an empty body is ``default``."""
    body = await request.body()
    if not body.strip():
        return default, b""
    given = media_type(request)
    if given != "application/json" and not given.endswith("+json"):
        raise UnsupportedType(f"Content-Type {given or 'missing'}: send application/json")
    try:
        return json.parse(body), body
    except InvalidInput as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error


def reply(content: JSON, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON by our own codec: numbers and the order of keys stay as they are."""
    return Response(json.encode(content), status_code=status, headers=headers, media_type="application/json")


def trace_of(request: Request) -> str | None:
    """The trace that the request is served in, else the one that its headers name."""
    return current() or carried(request.headers)
