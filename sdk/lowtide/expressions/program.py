"""Compiled jq programs: the guards, variables, and the cache (decision A-20).

A program with variables is wrapped as ``. as {$now,$a,$b,$d} | $d | guards ( … )``: compiled once, and fed its
variables with its input, because binding them at compile time costs milliseconds each time. The parentheses keep
``include`` and ``import`` out; what could read the process, end it, or differ on a replay is shadowed.
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

__all__ = ["Programs", "bind", "names", "request", "wrap"]

_GUARDS: Final = (
    ("env", "def env: {}; "),
    ("input", 'def input: error("input is not available in workflows"); '),
    ("inputs", 'def inputs: error("inputs is not available in workflows"); '),
    ("debug", "def debug: .; def debug(f): .; "),
    ("stderr", "def stderr: .; "),
    ("input_filename", "def input_filename: null; "),
    ("input_line_number", "def input_line_number: 0; "),
    ("halt", 'def halt: error("halt is not available in workflows"); '),
    ("halt_error", 'def halt_error: error("halt_error is not available in workflows"); '),
    ("halt_error", 'def halt_error(f): error("halt_error is not available in workflows"); '),
    ("localtime", "def localtime: gmtime; "),
    ("strflocaltime", "def strflocaltime(f): strftime(f); "),
    ("get_search_list", "def get_search_list: []; "),
    ("modulemeta", 'def modulemeta: error("modulemeta is not available in workflows"); '),
    ("ENV", "{} as $ENV | "),
)
"""Names, and what stands in front of a program in whose text they occur (jq has no other way to spell a name)."""

_VARIABLE: Final = re.compile(r"\$([A-Za-z_]\w*)")
_NEEDS_NOW: Final = re.compile(r"\bnow\b")

_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def names(program: str) -> frozenset[str]:
    """The variables that a program may refer to (those that it binds itself are among them), without ``$``."""
    return frozenset(_VARIABLE.findall(program)) - {"ENV", "__loc__", "__prog_args"}


@lru_cache(maxsize=4096)
def _sorted_names(program: str) -> tuple[str, ...]:
    return tuple(sorted(names(program)))


@lru_cache(maxsize=4096)
def _uses_now(program: str) -> bool:
    return _NEEDS_NOW.search(program) is not None


@lru_cache(maxsize=4096)
def wrap(program: str, variables: tuple[str, ...]) -> str:
    """The guarded program; its input is an object of the variables, ``__now`` and ``__d``, the data; or, where it has
    no variables, the data itself."""
    guards = "".join(guard for name, guard in _GUARDS if name in program)
    uses_now = _uses_now(program)
    if not variables and not uses_now:
        return f"{guards}(\n{program}\n)"
    bound = ",".join(f"${name}" for name in (*variables, *(["__now"] if uses_now else []), "__d"))
    now = "def now: $__now; " if uses_now else ""
    return f". as {{{bound}}} | $__d | {now}{guards}(\n{program}\n)"


def bind(program: str, variables: Variables) -> dict[str, JSON]:
    """The values of the variables that the program may refer to, by name and in its order."""
    wanted = _sorted_names(program)
    return {name: variables[name] for name in wanted if name in variables} if wanted else {}


def request(program: str, value: JSON, bound: dict[str, JSON], now: Millis) -> tuple[str, str]:
    """The wrapped program and its input as JSON text."""
    given = value
    if bound:
        given = {**bound, "__d": value}
    if _uses_now(program):
        given = {**bound, "__now": now / 1000, "__d": value}
    try:
        return wrap(program, tuple(bound)), _encode(given).decode()
    except RecursionError as error:
        raise ExpressionFailed("its input is nested too deeply") from error


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
        program = self._compiled.get(wrapped)
        if program is not None:
            if len(self._compiled) > self._size // 2:  # before, nothing is dropped soon
                with self._lock:
                    if wrapped in self._compiled:
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
