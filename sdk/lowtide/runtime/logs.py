"""One line of JSON per log record, on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from lowtide.wire import json

__all__ = ["log_as_json"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


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
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.encode(line).decode()


def log_as_json(level: int = logging.INFO, context: Callable[[], Mapping[str, str]] = dict) -> None:
    """Everything that this process logs goes to standard error, one object per line; ``context`` gives the members that
    each has at its moment, as the ids of the trace in which it is said."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSONLines(context))
    logging.basicConfig(level=level, handlers=[handler], force=True)
