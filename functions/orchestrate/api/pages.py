"""Parameters that many routes share: names, cursors, limits, durations."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Path, Query

from lowtide.errors import InvalidInput, NotFound
from lowtide.model.base import JSON

from ..store import executions

__all__ = [
    "Cursor",
    "ExecutionPath",
    "Limit",
    "NamePath",
    "NamespacePath",
    "cursor_of",
    "execution_id",
    "moment_of",
    "named",
    "page",
    "read_cursor",
    "seconds_of",
    "time_text",
]

LONGEST_WAIT: Final = 240.0

NamespacePath = Annotated[str, Path(description="The namespace: the border between tenants", examples=["shop"])]
NamePath = Annotated[str, Path(description="A workflow's name", examples=["order-fulfilment"])]
ExecutionPath = Annotated[
    str, Path(description="An execution's id, a UUIDv7", examples=["0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"])
]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many items a page has at most")]

_NAME: Final = re.compile(r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_DURATION: Final = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|)$", re.ASCII)


def named(what: str, *names: str) -> None:
    """Raise :class:`lowtide.errors.NotFound` where a name in the path could never name anything."""
    for name in names:
        if not _NAME.match(name):
            raise NotFound(f"there is no {what} {name!r}: names are letters, digits and hyphens, 63 at most")


def execution_id(text: str) -> str:
    """Raises :class:`lowtide.errors.NotFound` where the text can be no execution's id."""
    lowered = text.lower()
    if not executions.is_id(lowered):
        raise NotFound(f"there is no execution {text!r}: ids are UUIDs")
    return lowered


def page(rows: Sequence[Any], limit: int, items: list[dict[str, JSON]], mark: str) -> dict[str, JSON]:
    """One page of a list: ``rows`` were asked for with one more than ``limit``; ``mark`` is the keyset's column."""
    more = len(rows) > limit
    return {"items": items[:limit], "next": cursor_of(str(getattr(rows[limit - 1], mark))) if more else None}


def cursor_of(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, form: str) -> str | None:
    """The position in a cursor; ``form`` is the regular expression of positions.

    Raises :class:`lowtide.errors.InvalidInput` where it was not made here.
    """
    if cursor is None:
        return None
    try:
        position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        position = ""
    if not re.fullmatch(form, position, re.ASCII):
        raise InvalidInput("cursor: this was not given out here; take `next` of the page before as it is")
    return position


def seconds_of(text: str) -> float:
    """``30s``, ``500ms``, ``2m`` or plain seconds. Raises :class:`lowtide.errors.InvalidInput`."""
    found = _DURATION.match(text)
    if not found:
        raise InvalidInput(f"wait: {text!r} is no duration; write it as 30s, 500ms or 2m")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > LONGEST_WAIT:
        raise InvalidInput(f"wait: at most {LONGEST_WAIT:g}s; start without it and look the execution up later")
    return seconds


def moment_of(where: str, text: JSON) -> datetime:
    """Raises :class:`lowtide.errors.InvalidInput` where the text is no moment; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}: write a moment such as 2026-11-23T09:30:00Z; found {text!r}") from error


def time_text(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
