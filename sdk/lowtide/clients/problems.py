"""Problem documents (RFC 9457) back to the errors that they came from: the reverse of ``lowtide.wire.problem``."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from lowtide.errors import (
    AuthRequired,
    Conflict,
    Gone,
    InvalidAnswer,
    InvalidDocument,
    InvalidInput,
    LowtideError,
    NotFound,
    TaskFailed,
    TooLarge,
    Unauthentic,
    Unavailable,
)
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["error_of", "line_of"]

_BY_STATUS: Final[dict[int, type[LowtideError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthRequired,
    HTTPStatus.FORBIDDEN: Unauthentic,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Gone,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
    HTTPStatus.BAD_GATEWAY: Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: Unavailable,
}


def error_of(status: int, body: bytes, request: str) -> LowtideError:
    """The error that a response of ``status`` >= 400 to ``request`` (method and URL, for the message) stands for."""
    try:
        problem = json.parse(body)
    except InvalidInput:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return _class_of("", status)(f"{request} was answered {status}: {body[:200].decode(errors='replace').strip()}")
    kind = _class_of(str(problem.get("code", "")), status)
    problems = problem.get("problems")
    if issubclass(kind, InvalidAnswer):
        told = [": ".join(filter(None, (one.get("pointer"), one.get("detail")))) for one in problem.get("errors") or []]
        return kind(told or [_sentence(problem)])
    if issubclass(kind, InvalidDocument):
        return kind([line_of(found) for found in problems or []] or [_sentence(problem)])
    return kind(_sentence(problem))


def line_of(problem: dict[str, JSON], file: str = "") -> str:
    """``file:line:column: message; mend`` of one entry of a problem document's ``problems``."""
    place = f"{file or problem.get('file') or 'document'}:{problem.get('line', 1)}:{problem.get('column', 1)}"
    warning = "warning: " if problem.get("severity") == "warning" else ""
    mend = f"; {problem['mend']}" if problem.get("mend") else ""
    return f"{place}: {warning}{problem.get('message', '')}{mend}"


def _sentence(problem: dict[str, JSON]) -> str:
    title, detail = problem.get("title"), problem.get("detail")
    return f"{title}: {detail}" if detail else str(title)


def _class_of(code: str, status: int) -> type[LowtideError]:
    for kind in _tree(LowtideError):
        if kind.code == code and kind is not TaskFailed:
            return kind
    return _BY_STATUS.get(status) or (InvalidInput if status < 500 else LowtideError)


def _tree(kind: type[LowtideError]) -> Iterator[type[LowtideError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
