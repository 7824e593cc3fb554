"""Compiled jq programs: the guard prelude, variables, and the cache (decision A-20).

A program is wrapped as ``prelude . as {$now,$a,$b,$d} | $d | ( … )``: compiled once, and fed its variables with its
input, because binding them at compile time costs milliseconds each time. The parentheses keep ``include`` and
``import`` out; what could read the process, end it, or differ on a replay is shadowed.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

import msgspec

from lowtide.engine.host import ExpressionFailed, Variables
from lowtide.model.base import JSON, Millis

__all__ = ["Programs", "names", "request", "wrap"]

_PRELUDE: Final = (
    "def env: {}; "
    'def input: error("input is not available in workflows"); '
    'def inputs: error("inputs is not available in workflows"); '
    "def debug: .; def debug(f): .; def stderr: .; def input_filename: null; def input_line_number: 0; "
    'def halt: error("halt is not available in workflows"); '
    'def halt_error: error("halt_error is not available in workflows"); '
    'def halt_error(f): error("halt_error is not available in workflows"); '
    "def localtime: gmtime; def strflocaltime(f): strftime(f); "
    'def get_search_list: []; def modulemeta: error("modulemeta is not available in workflows"); '
    "{} as $ENV | "
)
_VARIABLE: Final = re.compile(r"\$([A-Za-z_]\w*)")
_NEEDS_NOW: Final = re.compile(r"\bnow\b")

_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def names(program: str) -> frozenset[str]:
    """The variables that a program may refer to (those that it binds itself are among them), without ``$``."""
    return frozenset(_VARIABLE.findall(program)) - {"ENV", "__loc__", "__prog_args"}


def wrap(program: str, variables: tuple[str, ...]) -> str:
    """The guarded program; its input is an object of the variables, ``__now`` and ``__d``, the data."""
    uses_now = _NEEDS_NOW.search(program) is not None
    bound = ",".join(f"${name}" for name in (*variables, *(["__now"] if uses_now else []), "__d"))
    now = "def now: $__now; " if uses_now else ""
    return f". as {{{bound}}} | $__d | {now}{_PRELUDE}(\n{program}\n)"


def request(program: str, value: JSON, variables: Variables, now: Millis) -> tuple[str, str]:
    """The wrapped program and its input as JSON text."""
    used = tuple(sorted(name for name in names(program) if name in variables))
    bound: dict[str, Any] = {name: variables[name] for name in used}
    if _NEEDS_NOW.search(program):
        bound["__now"] = now / 1000
    bound["__d"] = value
    return wrap(program, used), _encode(bound).decode()


class Programs:
    """Compiled programs, about 2.6 KiB each, the least recently used dropped first; for several threads."""

    def __init__(self, size: int = 2000) -> None:
        self._size = size
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, wrapped: str, text: str) -> JSON:
        """The first output, ``None`` where there is none. Raises :class:`ExpressionFailed`."""
        program = self._get(wrapped)
        try:
            for output in program.input_text(text):
                return output
        except ValueError as error:
            raise ExpressionFailed(_reason(error)) from error
        return None

    def _get(self, wrapped: str) -> Any:
        with self._lock:
            program = self._compiled.get(wrapped)
            if program is not None:
                self._compiled.move_to_end(wrapped)
                return program
        import jq

        try:
            program = jq.compile(wrapped)
        except ValueError as error:
            raise ExpressionFailed(_reason(error), syntax=True) from error
        with self._lock:
            self._compiled[wrapped] = program
            if len(self._compiled) > self._size:
                self._compiled.popitem(last=False)
        return program


def _reason(error: ValueError) -> str:
    """libjq's message without the parts that speak of our wrapping."""
    lines = [line.removeprefix("jq: error: ") for line in str(error).splitlines()]
    kept = [re.sub(r" at <top-level>, line \d+.*$", "", line) for line in lines if not line.startswith("jq: ")]
    return kept[0] if kept and kept[0] else "it has no valid syntax"
