"""A handle on the process that runs programs which may take long: killed, with all its memory, when one does.

Protocol on stdin and stdout: frames of a 4-byte big-endian length and JSON. A request is ``[wrapped, input text]``, or
``[null, [schema, value]]`` for a check by a JSON Schema, ``[null, null]`` before the first one, so that the library for
it is there; an answer ``["ok", output]``, ``["failed", reason]`` or ``["syntax", reason]``. One request at a time.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

from lowtide.engine.host import ExpressionFailed
from lowtide.errors import Unavailable
from lowtide.model.base import JSON

__all__ = ["Worker", "receive", "send"]

_LENGTH: Final = struct.Struct(">I")
_START: Final = 30.0
"""Seconds that a worker may take to start, and to import the library for schemas."""

_GRACE: Final = 5.0
"""Seconds after which a worker that nobody killed in time ends by itself: its parent may be gone."""


class Worker:
    """A handle on one worker process, started when it is first needed. Safe to use from several threads. A handle that
    nobody closes takes its process along, at the latest when this one ends."""

    def __init__(self, seconds: float, memory_bytes: int, answer_bytes: int) -> None:
        self._seconds = seconds
        self._memory = memory_bytes
        self._answer = answer_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: Callable[[], object] | None = None
        self._checks_schemas = False
        self._lock = threading.Lock()

    def first(self, wrapped: str, text: str) -> JSON:
        """As :meth:`Programs.first`, within the time limit (seconds of wall time, the start not counted).

        Raises :class:`lowtide.errors.Unavailable` where the machine has no room for a worker.
        """
        return self._ask([wrapped, text])

    def violations(self, schema: JSON, value: JSON) -> JSON:
        """As :meth:`Validators.violations`, within the same time limit; the import of its library is not counted."""
        return self._ask([None, [schema, value]], schemas=True)

    def _ask(self, request: JSON, *, schemas: bool = False) -> JSON:
        with self._lock:
            process = self._asked(msgspec.json.encode(request), schemas)
            try:
                answer = receive(process.stdout, self._seconds)
            except EOFError as error:
                self._kill()
                reason = f"it needed more than {self._memory // 1_048_576} MB and was stopped"
                raise ExpressionFailed(reason) from error
            except TimeoutError as error:
                self._kill()
                raise ExpressionFailed(f"it took longer than {self._seconds:g} s and was stopped") from error
        match answer:
            case ["ok", output]:
                return output
            case [kind, str(reason)]:
                raise ExpressionFailed(reason, syntax=kind == "syntax")
            case _:
                raise ExpressionFailed("the worker gave an answer that nobody knows")

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _asked(self, request: bytes, schemas: bool) -> subprocess.Popen[bytes]:
        """A worker that has the request. One that died while nothing was asked of it is replaced."""
        for last in (False, True):
            try:
                process = self._started()
                if schemas and not self._checks_schemas:
                    send(process.stdin, b"[null,null]")
                    receive(process.stdout, _START)
                    self._checks_schemas = True
                send(process.stdin, request)
                return process
            except (OSError, EOFError, TimeoutError) as error:
                self._kill()
                if last:
                    raise Unavailable(f"the process for expressions does not start: {error!r}") from error
        raise AssertionError("the second attempt returns or raises")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._kill()
        if self._process is None:
            limits = [str(self._memory), str(self._answer), str(self._seconds + _GRACE)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lowtide.expressions.child", *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libjq speaks there before it aborts; the answer says it better
                env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                start_new_session=True,
            )
            self._ending = weakref.finalize(self, _end, self._process)
            self._checks_schemas = False
            ready = receive(self._process.stdout, _START)
            assert ready == "ready"
        return self._process

    def _kill(self) -> None:
        ending, self._process, self._ending = self._ending, None, None
        if ending is not None:
            ending()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            # What was buffered for a dead worker is of no use to anyone.
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def send(stream: BinaryIO | object, body: bytes) -> None:
    assert hasattr(stream, "write")
    assert hasattr(stream, "flush")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: object, seconds: float | None) -> JSON:
    assert hasattr(stream, "fileno")
    descriptor = stream.fileno()
    length = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size, seconds))[0]
    return msgspec.json.decode(_exactly(descriptor, length, seconds))


def _exactly(descriptor: int, count: int, seconds: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        if seconds is not None and not select.select([descriptor], [], [], seconds)[0]:
            raise TimeoutError
        part = os.read(descriptor, count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
