"""One line of JSON per log record, on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lowtide.wire import json

__all__ = ["added_to", "log_as_json", "plain"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def added_to(record: logging.LogRecord) -> dict[str, Any]:
    """What its ``extra`` was."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def plain(value: object) -> Any:
    """As JSON; what is none, as the text that it has."""
    try:
        return json.parse(json.encode(value))
    except Exception:  # whatever an object of somebody's own raises here
        return str(value).encode(errors="replace").decode()


class _JSONLines(logging.Formatter):
    def __init__(self, context: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(self._context())
        line.update(added_to(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return json.encode(line).decode()
        except (TypeError, ValueError):  # code of users may add what is no JSON: the line must not be lost for it
            return json.encode({name: plain(value) for name, value in line.items()}).decode()


def log_as_json(level: int = logging.INFO, context: Callable[[], Mapping[str, str]] = dict) -> None:
    """Everything that this process logs goes to standard error, one object per line; ``context`` gives the members that
    each has at its moment, as the ids of the trace in which it is said."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSONLines(context))
    logging.basicConfig(level=level, handlers=[handler], force=True)
