"""Problem documents (RFC 9457): the one shape in which every HTTP interface of Lowtide says that something went wrong.

    {"type": "urn:lowtide:problem:not_found", "title": "There is no such thing", "status": 404,
     "detail": "there is no execution 0198... in namespace shop", "code": "not_found"}

``code`` is the stable name that clients match on (the tree in :mod:`lowtide.errors`); ``retryable`` is added, as true,
where the same request may succeed later, and ``retryAfter`` (whole seconds) where one can know when. Free of any web
framework: each deployable keeps the few lines that hand these to its own.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final

from lowtide.errors import LimitReached, LowtideError
from lowtide.model.base import JSON

__all__ = ["MEDIA_TYPE", "RETRY_AFTER", "headers", "of_error", "of_status", "problem"]

MEDIA_TYPE: Final = "application/problem+json"

RETRY_AFTER: Final = 2
"""Seconds that a client is asked to wait before it repeats a request that failed for a passing reason."""

_CODES: Final[dict[int, str]] = {
    400: "input.invalid",
    401: "auth.required",
    403: "auth.refused",
    404: "not_found",
    405: "method.not_allowed",
    406: "accept.unsupported",
    409: "conflict",
    410: "gone",
    413: "input.too_large",
    415: "content_type.unsupported",
    422: "input.invalid",
    429: "limit.reached",
    500: "internal",
    503: "unavailable",
}

_PHRASES: Final = {int(known): known.phrase for known in HTTPStatus}


def problem(status: int, code: str, title: str, detail: str = "", **members: JSON) -> dict[str, JSON]:
    """A problem document; ``members`` are extensions (camelCase names), ``None`` leaves one out."""
    document: dict[str, JSON] = {
        "type": f"urn:lowtide:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail or None,
        "code": code,
        **members,
    }
    return {name: value for name, value in document.items() if value is not None}


def of_error(error: LowtideError, **members: JSON) -> dict[str, JSON]:
    """The problem document of one of our errors; its ``status`` is the response's status too."""
    after = math.ceil(error.after) if isinstance(error, LimitReached) else None
    retryable = True if error.retryable else None
    return problem(
        error.http_status, error.code, error.title, str(error), retryable=retryable, retryAfter=after, **members
    )


def of_status(status: int, detail: str = "", **members: JSON) -> dict[str, JSON]:
    """The problem document where only an HTTP status is known: an unknown route, a wrong method, a defect of ours."""
    phrase = _PHRASES.get(status, "Error")
    retryable = True if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(status, _CODES.get(status, f"http.{status}"), phrase, detail, retryable=retryable, **members)


def headers(document: dict[str, JSON]) -> dict[str, str]:
    """The response headers that belong to a problem document, its content type among them."""
    found = {"content-type": MEDIA_TYPE}
    if document.get("retryable"):
        found["retry-after"] = str(document.get("retryAfter", RETRY_AFTER))
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        found["www-authenticate"] = "Bearer"
    return found
