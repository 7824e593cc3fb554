"""What CloudEvents 1.0 allows as context attributes: names, required ones, and the form of each value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lowtide.errors import InvalidEvent

__all__ = ["REQUIRED", "attributes"]

REQUIRED: Final = ("specversion", "id", "source", "type")

_NAME: Final = re.compile(r"^[a-z0-9]+$")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MEDIA_TYPE: Final = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*(;.*)?$")
_ABSOLUTE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")
_TIME: Final = re.compile(
    r"^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}):(\d{2})(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$", re.ASCII
)
_INTEGER: Final = 2**31
_TEXT_ALONE: Final = frozenset({*REQUIRED, "subject", "dataschema", "time", "datacontenttype"})


def attributes(given: Mapping[str, Any], place: str) -> None:
    """Raise :class:`lowtide.errors.InvalidEvent` for the first thing that is wrong; ``place`` is put before names."""
    for name in REQUIRED:
        if given.get(name) is None:
            raise InvalidEvent(f"{place}{name}: missing; every CloudEvent has {', '.join(REQUIRED)}")
    for name, value in given.items():
        _check_name(name, place)
        _check_value(name, value, place)
    if given["specversion"] != "1.0":
        raise InvalidEvent(
            f"{place}specversion: {given['specversion']!r} is not understood; send events of version 1.0"
        )
    _check_forms(given, place)


def _check_name(name: str, place: str) -> None:
    if not _NAME.match(name):
        raise InvalidEvent(f"{place}{name}: not a legal attribute name; use the letters a to z and digits alone")


def _check_value(name: str, value: Any, place: str) -> None:
    if isinstance(value, str):
        if not value and name in _TEXT_ALONE:
            raise InvalidEvent(f"{place}{name}: empty; give it a value or leave it out")
        if _CONTROL.search(value):
            raise InvalidEvent(f"{place}{name}: contains a control character; remove it")
        return
    if name in _TEXT_ALONE:
        raise InvalidEvent(f"{place}{name}: must be text, not {type(value).__name__}")
    if isinstance(value, bool):
        return
    if not isinstance(value, int) or not -_INTEGER <= value < _INTEGER:
        raise InvalidEvent(f"{place}{name}: must be text, true, false or a whole number of 32 bits; send text instead")


def _check_forms(given: Mapping[str, Any], place: str) -> None:
    if re.search(r"\s", given["source"]):
        raise InvalidEvent(f"{place}source: a URI reference holds no spaces; percent-encode them")
    schema, time, media_type = given.get("dataschema"), given.get("time"), given.get("datacontenttype")
    if schema is not None and not _ABSOLUTE.match(schema):
        raise InvalidEvent(f"{place}dataschema: {schema!r} is not an absolute URI")
    if time is not None and not _is_time(time):
        raise InvalidEvent(f"{place}time: {time!r} is not an RFC 3339 timestamp, as 2026-01-31T09:30:00Z")
    if media_type is not None and not _MEDIA_TYPE.match(media_type):
        where = "header content-type" if place.startswith("header") else f"{place}datacontenttype"
        raise InvalidEvent(f"{where}: {media_type!r} is not a media type, as application/json")


def _is_time(text: str) -> bool:
    found = _TIME.match(text)
    if not found:
        return False
    date, minutes, seconds = found[1], found[2], found[3]
    if seconds == "60":  # a leap second, which RFC 3339 allows and datetime does not know
        seconds = "59"
    try:
        datetime.fromisoformat(f"{date}T{minutes}:{seconds}")
    except ValueError:
        return False
    return True
