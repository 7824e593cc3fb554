"""Keyset cursors: where a page ended, as opaque text for the next request.

A cursor names its list and the sort key of the last row that was shown, so that rows which arrive meanwhile neither
shift nor repeat a page.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from lowtide.errors import InvalidInput

__all__ = [
    "AlertKey",
    "BucketKey",
    "EventsKey",
    "ExecutionKey",
    "LineKey",
    "LogKey",
    "MinuteKey",
    "NameKey",
    "SilenceKey",
    "TaskKey",
    "of",
    "read",
]


class ExecutionKey(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """``order`` is the list's: a cursor of the slowest continues no list of the newest."""

    order: str
    value: datetime | float
    execution: UUID


class TaskKey(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """The number of the first fact of the last task shown."""

    number: int


class LogKey(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    at: datetime
    id: str


class MinuteKey(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    minute: datetime
    workflow: str


class BucketKey(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    bucket: datetime
    groups: list[str]


class LineKey(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """A log line among those of all executions."""

    order: str
    at: datetime
    execution: UUID
    id: str


class EventsKey(msgspec.Struct, frozen=True, array_like=True, tag="v"):
    """The last execution that was seen to be created, and the last that was seen to end."""

    created: tuple[datetime, UUID]
    ended: tuple[datetime, UUID]


class NameKey(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A name among those of a list that is sorted by them."""

    name: str


class AlertKey(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    since: datetime
    alert: UUID


class SilenceKey(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    until: datetime
    silence: UUID


Key: TypeAlias = (
    AlertKey | EventsKey | ExecutionKey | TaskKey | LogKey | MinuteKey | BucketKey | LineKey | NameKey | SilenceKey
)
K = TypeVar("K", bound=Key)

_LARGEST: Final = 2**63 - 1


def of(key: Key | None) -> str | None:
    """The cursor that continues after ``key``; ``None`` after the last page."""
    return None if key is None else urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def read(cursor: str | None, kind: type[K]) -> K | None:
    """The key to continue after, or ``None`` for the first page.

    Raises :class:`lowtide.errors.InvalidInput` where the text is not a cursor of this list.
    """
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=kind)
        if not _storable(key):
            raise ValueError("out of range")
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidInput(
            "the cursor is not one of this list; use the `next` of its previous page as it is, or leave it out"
        ) from error
    return key


def _storable(key: Key) -> bool:
    """Whether PostgreSQL can compare with it: cursors come from outside."""
    match key:
        case TaskKey(number=number):
            return -1 < number <= _LARGEST
        case ExecutionKey(value=value):
            return isinstance(value, float) or _reached(value)
        case EventsKey(created=(created, _), ended=(ended, _)):
            return _reached(created) and _reached(ended)
        case BucketKey(bucket=moment, groups=groups):
            return _reached(moment) and not any("\x00" in group for group in groups)
        case AlertKey(since=moment) | SilenceKey(until=moment):
            return _reached(moment)
        case NameKey(name=text):
            return "\x00" not in text
        case LineKey(at=moment, id=text) | LogKey(at=moment, id=text) | MinuteKey(minute=moment, workflow=text):
            return _reached(moment) and "\x00" not in text


def _reached(moment: datetime) -> bool:
    return moment.tzinfo is not None and 1 < moment.year < 9999
