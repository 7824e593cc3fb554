"""What steps say while they work, as log lines of their execution.

A step is Python, and says things by ``logging``. What it says is in the log of its process as ever, and beside that in
the history of the execution that it works for: masked as all of it is, found by task, level, words and time. Imported
where there are steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextvars import ContextVar
from typing import Final

from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform
from lowtide.runtime.logs import added_to, plain
from lowtide.runtime.ports import Effects, History, Subject
from lowtide.wire import json

__all__ = ["StepLogs"]

_LONGEST: Final = 64 * 1024
"""Characters of a message, and bytes of all that was said with it."""

_OURS: Final = "lowtide"


class _Work(Value, frozen=True):
    """What is done for whom."""

    loop: asyncio.AbstractEventLoop
    history: History
    subject: Subject
    task: str


_AT_WORK: Final[ContextVar[_Work | None]] = ContextVar("at_work", default=None)


class StepLogs(logging.Handler):
    """Belongs to the root logger. Steps work in tasks and in threads; lines are told in the loop of their execution."""

    def effects(self, effects: Effects, history: History, subject: Subject) -> Effects:
        """The same, whose steps are listened to."""
        return _Effects(effects, history, subject)

    def emit(self, record: logging.LogRecord) -> None:
        work = _AT_WORK.get()
        if work is None or record.name.partition(".")[0] == _OURS:
            return
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit the message: the log of the process says so
            return
        message = plain(message)
        line = message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"
        fields = {"logger": record.name, **{name: plain(value) for name, value in added_to(record).items()}}
        if record.exc_info:
            fields["exception"] = plain(logging.Formatter().formatException(record.exc_info))
        if len(json.encode(fields)) > _LONGEST:
            fields = {"logger": record.name, "left_out": f"there were more than {_LONGEST} bytes of fields"}
        with contextlib.suppress(RuntimeError):  # a thread that is still at work when the process has ended
            work.loop.call_soon_threadsafe(
                work.history.log, work.subject, _level(record.levelno), line, work.task, fields
            )


class _Effects:
    def __init__(self, effects: Effects, history: History, subject: Subject) -> None:
        self._effects = effects
        self._history = history
        self._subject = subject

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        if command.call != "step":
            return await self._effects.perform(command, idempotency_key)
        work = _Work(asyncio.get_running_loop(), self._history, self._subject, command.id)
        token = _AT_WORK.set(work)
        try:
            return await self._effects.perform(command, idempotency_key)
        finally:
            _AT_WORK.reset(token)


def _level(number: int) -> str:
    for least, level in ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info")):
        if number >= least:
            return level
    return "debug"
