"""Callback URLs: whoever has one can post to it, once. They name no namespace; the token in them says whose it is."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, Path, Request, Response

from lowtide.engine.depth import is_too_deep
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.wire import json
from lowtide.wire.callbacks import ACCEPTABLE, CallbackToken, read_token
from lowtide.wire.mac import digest_of

from ..asking import Answer, receive
from ..problems import UnsupportedType
from . import shapes
from .documents import media_type, reply
from .here import Here

__all__ = ["routes"]

_FIELDS: Final = 1000

TokenPath = Annotated[
    str, Path(description="The last part of a URL that `create-callback` has made", examples=["AQGY"])
]
_BODY: Final = {
    "requestBody": {
        "required": False,
        "content": {kind: {"schema": {}, "example": {"paid": True}} for kind in ACCEPTABLE},
    }
}
_RECEIVED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "Taken, for good", "content": {"application/json": {"example": {"status": "received"}}}}
}


def routes() -> APIRouter:
    router = APIRouter(tags=["callbacks"])

    @router.post(
        "/v1/callbacks/{token}",
        status_code=202,
        responses={**_RECEIVED, **shapes.problems(409, 410, 415)},
        openapi_extra=_BODY,
    )
    async def call_back(
        service: Here,
        request: Request,
        token: TokenPath,
        idempotency_key: Annotated[str | None, Header(description="The same key and body are taken once")] = None,
    ) -> Response:
        """Answer the workflow that gave this URL: what is posted is what it goes on with.

        Once this is answered, it cannot be lost, and a second call is refused (409). After the URL has expired or its
        execution has ended, it is refused too (410). Any other method than POST changes nothing.
        """
        known = read_token(service.key, token)  # before anything of the body is read
        body = await request.body()
        answer = Answer(_data_of(request, known, body), digest_of(body), idempotency_key)
        await service.desk.do(lambda work: receive(work, known, answer))
        return reply({"status": "received"}, 202)

    return router


def _data_of(request: Request, token: CallbackToken, body: bytes) -> JSON:
    """What was posted, as the workflow gets it: JSON as it is, text as text, a form as an object; nothing is null."""
    if not body:
        return None
    given = media_type(request)
    kind = "application/json" if given.endswith("+json") else given
    if kind not in token.accepts:
        raise UnsupportedType(f"Content-Type {given or 'missing'}: this callback takes {' or '.join(token.accepts)}")
    if kind == "application/json":
        return _json_of(body)
    try:
        text = body.decode()
        return text if kind == "text/plain" else _form_of(text)
    except UnicodeDecodeError as error:
        raise InvalidInput("the body is not UTF-8") from error


def _json_of(body: bytes) -> JSON:
    try:
        data = json.parse(body)
    except InvalidInput as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if is_too_deep(data):
        raise InvalidInput("the body is nested too deeply for a workflow to hold it")
    return data


def _form_of(text: str) -> dict[str, Any]:
    """Fields by name; one that stands several times is a list."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidInput(f"the body is no form of at most {_FIELDS} fields: {error}") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
