"""Bodies of requests and responses <-> JSON values, by content type."""

from __future__ import annotations

from base64 import b64encode
from codecs import BOM_UTF8
from urllib.parse import urlencode

import msgspec

from lowtide.model.base import JSON

__all__ = ["body_of", "content_of"]


def body_of(value: JSON, content_type: str | None) -> tuple[bytes | None, str | None]:
    """The bytes to send and their content type; JSON unless the given content type says otherwise."""
    if value is None:
        return None, content_type
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode({key: _text(member) for key, member in value.items()}).encode(), content_type
    if kind and not _is_json(kind) and isinstance(value, str):
        return value.encode(), content_type
    return msgspec.json.encode(value), content_type or "application/json"


def content_of(body: bytes, content_type: str, charset: str) -> JSON:
    """A response as a JSON value: parsed where it is JSON, text where it is text, base64 otherwise.

    Raises ``ValueError`` where it says that it is JSON and is not.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return None
    if _is_json(kind):
        try:
            plain = body if charset.lower() in {"utf-8", "ascii"} else body.decode(charset).encode()
            return msgspec.json.decode(plain.removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the response says it is {kind}, but {error}") from error
    if kind.startswith("text/") or kind in {"application/xml", "application/yaml", "application/x-yaml", ""}:
        return body.decode(charset, errors="replace")
    return b64encode(body).decode()


def _is_json(kind: str) -> bool:
    return kind in {"application/json", "text/json"} or kind.endswith("+json")


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
