"""HTTP requests and responses <-> CloudEvents 1.0, strictly (docs/decisions/0004-cloudevents-parsed-by-us.md).

    event = read(headers, body)             one event, binary or structured mode
    events = read_all(headers, body)        the same, and batches
    headers, body = to_binary(event)        likewise to_structured, to_batch

What the standard does not allow is refused with :class:`lowtide.errors.InvalidEvent`, which says what is wrong, where,
and how to mend it. Nothing is guessed and nothing is invented: an event without an id has no identity to dedupe by.

Sources: CloudEvents 1.0.2 core, JSON event format, and HTTP protocol binding (3.1.3.2 for header values).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from lowtide.errors import InvalidEvent
from lowtide.model.base import JSON

from . import attributes as check

__all__ = [
    "BATCH",
    "STRUCTURED",
    "CloudEvent",
    "Headers",
    "from_json",
    "read",
    "read_all",
    "to_batch",
    "to_binary",
    "to_structured",
]

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""Header fields in any case: a mapping, pairs, or the byte pairs of an ASGI scope."""

Attribute: TypeAlias = str | int | bool

_RESERVED: Final = frozenset({"data", "data_base64"})
_ENCODED: Final = re.compile(r"[^\x21\x23\x24\x26-\x7e]")  # all but printable ASCII without space, quote, percent
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_JSON_TYPE: Final = re.compile(r"^(application|text)/json$|^[^/]+/[^/]+\+json$")
_TEXT_TYPE: Final = re.compile(r"^text/|^application/xml$|\+xml$")


class CloudEvent(msgspec.Struct, frozen=True):
    """One event: its context attributes, and its data as the bytes that were sent (``None``: it has no data).

    ``attributes`` are text, except that structured mode can carry whole numbers and booleans in extensions.
    """

    attributes: dict[str, Attribute]
    data: bytes | None = None

    @property
    def id(self) -> str:
        return str(self.attributes["id"])

    @property
    def source(self) -> str:
        return str(self.attributes["source"])

    @property
    def type(self) -> str:
        return str(self.attributes["type"])

    def text(self, name: str) -> str | None:
        """An attribute in its canonical text form, whichever mode it travelled in; ``None`` where it is absent."""
        value = self.attributes.get(name)
        return None if value is None else _canonical(value)

    @property
    def is_json(self) -> bool:
        """Whether the data is declared to be JSON. Without a content type it is not: see :func:`read`."""
        return _is_json(self.attributes.get("datacontenttype"))

    def as_json(self) -> dict[str, JSON]:
        """The JSON form: attributes and ``data``, or ``data_base64`` where the data is neither JSON nor text."""
        form: dict[str, JSON] = dict(self.attributes)
        if self.data is None:
            return form
        if self.is_json:
            form["data"] = msgspec.json.decode(self.data)
        elif (text := self._as_text()) is not None:
            form["data"] = text
        else:
            form["data_base64"] = base64.b64encode(self.data).decode()
        return form

    def _as_text(self) -> str | None:
        if self.data is None or not _TEXT_TYPE.search(_media_type(str(self.attributes.get("datacontenttype", "")))):
            return None
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None


# ---------------------------------------------------------------- HTTP -> events


def read(headers: Headers, body: bytes) -> CloudEvent:
    """The one event of a request or response, in binary or structured mode.

    In binary mode without a ``Content-Type`` the data is bytes of an unknown kind. Raises
    :class:`lowtide.errors.InvalidEvent`; a batch is refused, it belongs to :func:`read_all`.
    """
    fields = _fold(headers)
    media_type = _media_type(fields.get("content-type", ""))
    if media_type == BATCH:
        raise InvalidEvent("this is a batch, and one event is expected here; send each event by itself")
    if media_type == STRUCTURED:
        return _structured(fields["content-type"], body)
    if media_type.startswith("application/cloudevents"):
        raise InvalidEvent(f"Content-Type {media_type} is not understood; send {STRUCTURED}, or binary mode")
    if "ce-specversion" not in fields:
        raise InvalidEvent(
            "this is not a CloudEvent: there is no ce-specversion header, and Content-Type is "
            f"{media_type or 'missing'}; add the ce- headers (binary mode) or send {STRUCTURED}"
        )
    return _binary(fields, body)


def read_all(headers: Headers, body: bytes) -> tuple[CloudEvent, ...]:
    """The events of a request in any mode. One event that is wrong refuses its whole batch."""
    fields = _fold(headers)
    if _media_type(fields.get("content-type", "")) != BATCH:
        return (read(fields, body),)
    _check_charset(fields["content-type"])
    try:
        members = msgspec.json.decode(body, type=list[dict[str, msgspec.Raw]])
    except msgspec.MsgspecError as error:
        raise InvalidEvent(f"the batch is not a JSON array of objects: {error}") from error
    return tuple(_from_members(members_of, f"[{index}]") for index, members_of in enumerate(members))


def _fold(headers: Headers) -> dict[str, str]:
    """Headers with lower-case names. Raises where one that matters is given twice."""
    pairs: Iterable[tuple[Any, Any]] = headers.items() if isinstance(headers, Mapping) else headers
    fields: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = (raw_name.decode("latin-1") if isinstance(raw_name, bytes) else raw_name).lower()
        if name != "content-type" and not name.startswith("ce-"):
            continue
        if name in fields:
            raise InvalidEvent(f"header {name}: given twice; send it once")
        fields[name] = (raw_value.decode("latin-1") if isinstance(raw_value, bytes) else raw_value).strip(" \t")
    return fields


def _binary(fields: dict[str, str], body: bytes) -> CloudEvent:
    attributes: dict[str, Attribute] = {}
    for header, value in fields.items():
        if header == "content-type":
            if value:
                attributes["datacontenttype"] = value
            continue
        name = header[3:]
        if name in _RESERVED or name == "datacontenttype":
            raise InvalidEvent(f"header {header}: this is not an attribute's header; use the body and Content-Type")
        attributes[name] = _decode_header(header, value)
    check.attributes(attributes, "header ce-")
    data = body or None
    if data is not None and _is_json(attributes.get("datacontenttype")):
        _check_json(data)
    return CloudEvent(attributes, data)


def _decode_header(header: str, value: str) -> str:
    """Quoted strings first, then one round of percent-decoding, as the HTTP binding asks."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not value.isascii():
        raise InvalidEvent(f"header {header}: characters outside ASCII; percent-encode their UTF-8 bytes")
    if "%" not in value:
        return value
    if _ESCAPE.search(value):
        raise InvalidEvent(f"header {header}: a % that begins no escape; write %25 for the character itself")
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes((int(found[1], 16),)), value.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidEvent(f"header {header}: the percent-encoded bytes are not UTF-8; encode UTF-8 bytes") from None


def _structured(content_type: str, body: bytes) -> CloudEvent:
    _check_charset(content_type)
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise InvalidEvent(f"the body is not a JSON object: {error}; send one event as {STRUCTURED}") from error
    return _from_members(members, "")


def _from_members(members: dict[str, msgspec.Raw], where: str) -> CloudEvent:
    form: dict[str, JSON] = {
        name: msgspec.json.decode(raw) for name, raw in members.items() if name not in ("data", "data_base64")
    }
    for name in _RESERVED & members.keys():
        form[name] = None if name == "data" else msgspec.json.decode(members[name])
    raw_data = bytes(members["data"]) if "data" in members else None
    return _assemble(form, raw_data, where)


def from_json(form: Mapping[str, JSON]) -> CloudEvent:
    """An event from its JSON form. Raises :class:`lowtide.errors.InvalidEvent`."""
    return _assemble(form, msgspec.json.encode(form["data"]) if "data" in form else None, "")


def _assemble(form: Mapping[str, JSON], raw_data: bytes | None, where: str) -> CloudEvent:
    """``raw_data`` is the JSON text of member ``data``: kept byte for byte, so that its digest survives."""
    place = f"event {where} member " if where else "member "
    attributes = {name: value for name, value in form.items() if name not in _RESERVED and value is not None}
    check.attributes(attributes, place)
    encoded = form.get("data_base64")
    if encoded is not None:
        if raw_data is not None:
            raise InvalidEvent(f"{place}data_base64: data is given too; send one of the two")
        return CloudEvent(attributes, _from_base64(encoded, place))
    if raw_data is None:
        return CloudEvent(attributes)
    attributes.setdefault("datacontenttype", "application/json")  # what the JSON format says of its absence
    if _is_json(attributes["datacontenttype"]):
        return CloudEvent(attributes, raw_data)
    text = msgspec.json.decode(raw_data)
    if not isinstance(text, str):
        raise InvalidEvent(
            f"{place}data: datacontenttype {attributes['datacontenttype']} is not JSON, so data must be text; "
            "send text, data_base64, or datacontenttype application/json"
        )
    return CloudEvent(attributes, text.encode())


def _from_base64(encoded: JSON, place: str) -> bytes:
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise InvalidEvent(f"{place}data_base64: not base64 text; encode the bytes as RFC 4648 says, with padding")


# ---------------------------------------------------------------- events -> HTTP


def to_binary(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """Headers and body: attributes as ``ce-`` headers, the data as it is."""
    headers = {f"ce-{name}": _encode_header(value) for name, value in event.attributes.items()}
    content_type = headers.pop("ce-datacontenttype", None)
    if content_type is not None:
        headers["content-type"] = str(event.attributes["datacontenttype"])
    return headers, event.data or b""


def to_structured(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    return {"content-type": STRUCTURED}, msgspec.json.encode(_raw_form(event))


def to_batch(events: Iterable[CloudEvent]) -> tuple[dict[str, str], bytes]:
    return {"content-type": BATCH}, msgspec.json.encode([_raw_form(event) for event in events])


def _raw_form(event: CloudEvent) -> dict[str, Any]:
    if event.data is not None and event.is_json:
        return {**event.attributes, "data": msgspec.Raw(event.data)}
    return event.as_json()


def _encode_header(value: Attribute) -> str:
    text = _canonical(value)
    return _ENCODED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _canonical(value: Attribute) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- media types


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: Attribute | None) -> bool:
    return isinstance(content_type, str) and bool(_JSON_TYPE.match(_media_type(content_type)))


def _check_charset(content_type: str) -> None:
    found = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", content_type, re.IGNORECASE)
    if found and found[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise InvalidEvent(f"header content-type: charset {found[1]} is not understood; send UTF-8")


def _check_json(data: bytes) -> None:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.MsgspecError as error:
        raise InvalidEvent(
            f"the body is declared to be JSON and is not: {error}; mend it, or declare its true Content-Type"
        ) from error
