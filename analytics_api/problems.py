"""Every error of this API as a problem document: the few lines that hand ``lowtide.wire.problem`` to FastAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lowtide.errors import InvalidInput, LowtideError, NotFound, Unavailable
from lowtide.model.base import JSON
from lowtide.wire import problem

__all__ = ["RESPONSES", "UNAVAILABLE", "install"]


def install(app: FastAPI) -> None:
    @app.exception_handler(LowtideError)
    async def ours(_request: Request, error: LowtideError) -> JSONResponse:
        return _response(problem.of_error(error))

    @app.exception_handler(RequestValidationError)
    async def unfitting(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_mistake(mistake) for mistake in error.errors()]
        detail = "; ".join(f"{mistake['where']}: {mistake['message']}" for mistake in found)
        return _response(problem.of_error(InvalidInput(detail), problems=found))

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"{request.method} {request.url.path} is not part of this API; /openapi.json lists what is"
        return _response(problem.of_status(error.status_code, detail), error.headers)

    @app.exception_handler(Exception)
    async def defect(_request: Request, _error: Exception) -> JSONResponse:
        # The server logs the traceback; whoever asked learns that it was not their mistake, and nothing of ours.
        return _response(problem.of_status(500, "the question met a defect of this service; its log has the details"))


def _response(document: dict[str, JSON], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(document, document["status"], {**(headers or {}), **problem.headers(document)})


def _mistake(found: Any) -> dict[str, JSON]:
    where = ".".join(str(part) for part in found["loc"])
    return {"where": where, "message": str(found["msg"]).removeprefix("Value error, ")}


def _shown(description: str, *errors: LowtideError) -> dict[str, Any]:
    """What the OpenAPI says of one family of errors."""
    examples = {error.code: {"value": problem.of_error(error)} for error in errors}
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "description": "The stable name to match on."},
            "retryable": {"type": "boolean"},
        },
    }
    return {"description": description, "content": {problem.MEDIA_TYPE: {"schema": schema, "examples": examples}}}


UNAVAILABLE: Final[dict[int | str, dict[str, Any]]] = {
    503: _shown("The store is away or behind", Unavailable("the analytics store cannot be reached: timed out")),
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": _shown(
        "The question is wrong, or about something that is not there",
        InvalidInput("query.from: write an ISO 8601 moment with its zone, as 2026-11-23T12:00:00Z"),
        NotFound("nothing is known of an execution 0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f in namespace default"),
    ),
    **UNAVAILABLE,
}
