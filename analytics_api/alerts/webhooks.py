"""Tells a webhook, as Standard Webhooks asks (https://www.standardwebhooks.com): payload, headers, signature.

The whole of the signature is one HMAC: the reference library would bring an HTTP client along for it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lowtide.errors import Gone, LowtideError, TaskFailed, Unavailable
from lowtide.model.base import JSON
from lowtide.wire import json

if TYPE_CHECKING:
    from lowtide.effects.web import Web

__all__ = ["post", "signature"]

_SECONDS: Final = 15.0
"""Within which it must have answered: it may do what it wants to do later."""


def signature(secret: str, message: str, moment: int, body: bytes) -> str:
    """Of version 1: HMAC-SHA256, under the bytes of ``secret`` (``whsec_`` and base64), of id, seconds and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message.encode(), str(moment).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


async def post(web: Web, url: str, secret: str, event: Mapping[str, JSON], moment: int) -> None:
    """Return once it was taken; ``moment`` is now, in seconds. The event's id stays the same however often it is sent.

    Raises :class:`lowtide.errors.Gone` where the receiver wants none any more, or it may not be reached;
    :class:`lowtide.errors.Unavailable` in every other case.
    """
    from yarl import URL

    message = str(event["id"])
    body = json.encode({"type": event["type"], "timestamp": event["time"], "data": event["data"]})
    headers = {
        "content-type": "application/json",
        "user-agent": "lowtide",
        "webhook-id": message,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(secret, message, moment, body),
    }
    try:
        async with web.request("POST", URL(url), seconds=_SECONDS, headers=headers, body=body) as response:
            status = response.status
    except TaskFailed as failure:
        raise _translated(failure) from failure
    if status == 410:
        raise Gone("it answered 410: it wants no more of this")
    if not 200 <= status < 300:
        raise Unavailable(f"it answered {status}")


def _translated(failure: TaskFailed) -> LowtideError:
    error = failure.error
    detail = error.detail or error.title or "it failed"
    return Gone(detail) if error.type.endswith("/authorization") else Unavailable(detail)
