"""Every error as a problem document (RFC 9457)."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lowtide.errors import InvalidAnswer, InvalidDocument, LowtideError
from lowtide.model.base import JSON
from lowtide.wire import json, problem

__all__ = ["UnsupportedType", "answer", "install"]

log = logging.getLogger("lowtide.orchestrate")


class UnsupportedType(LowtideError):
    """The request's Content-Type is none that the route takes."""

    code = "content_type.unsupported"
    http_status = 415
    title = "The content type is not supported here"


def install(app: FastAPI) -> None:
    app.add_exception_handler(LowtideError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_request)
    app.add_exception_handler(Exception, _on_defect)


def answer(document: dict[str, JSON], headers: dict[str, str] | None = None) -> Response:
    content = json.encode(document)
    return Response(content, status_code=document["status"], headers={**(headers or {}), **problem.headers(document)})


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, LowtideError)
    if isinstance(error, InvalidDocument):
        return answer(problem.of_error(error, problems=getattr(error, "found", [])))
    if isinstance(error, InvalidAnswer):
        return answer(problem.of_error(error, errors=[_told(line) for line in error.wrong]))
    return answer(problem.of_error(error))


def _told(line: str) -> dict[str, JSON]:
    """One violation: RFC 9457, section 3, gives ``errors`` this shape."""
    pointer, _, detail = line.partition(": ")
    return {"pointer": pointer, "detail": detail} if pointer.startswith("/") else {"detail": line}


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path}"
    elif error.status_code == 405:
        detail = f"{request.method} is not offered at {request.url.path}"
    return answer(problem.of_status(error.status_code, detail), dict(error.headers or {}))


async def _on_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in error.errors()]
    return answer(problem.of_status(400, "; ".join(wrong)))


async def _on_defect(request: Request, error: Exception) -> Response:
    # As the route is written: the path of a callback is a secret.
    path = getattr(request.scope.get("route"), "path", request.url.path)
    log.error("%s %s failed", request.method, path, exc_info=error)
    return answer(problem.of_status(500, "this is a defect of ours; the log of orchestrate says more"))
