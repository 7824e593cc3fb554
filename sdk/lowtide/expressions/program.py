"""Compiled jq programs: the guards, variables, and the cache (decision A-20).

A program with variables is wrapped as ``.[0] as $a | .[1] as $b | .[2] | guards ( … )``: compiled once, and fed its
variables with its input, because binding them at compile time costs milliseconds each time. (Taking the array apart by
a pattern, ``. as [$a,$b,$d]``, costs more.) The parentheses keep ``include`` and ``import`` out; what could read the
process, end it, or differ on a replay is shadowed.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lowtide.engine.host import ExpressionFailed, Variables
from lowtide.expressions.simple import simple
from lowtide.model.base import JSON, Millis

if TYPE_CHECKING:
    from lowtide.expressions.cost import Cost

__all__ = ["Prepared", "Programs", "names", "prepare"]

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

_ABSENT: Final = object()

_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def names(program: str) -> frozenset[str]:
    """The variables that a program may refer to (those that it binds itself are among them), without ``$``."""
    return frozenset(_VARIABLE.findall(program)) - {"ENV", "__loc__", "__prog_args"}


@lru_cache(maxsize=4096)
def _wrap(program: str, variables: tuple[str, ...], *, uses_now: bool) -> str:
    """The guarded program; its input is an array of the variables, ``now`` where it is used, and last the data; or,
    where it has no variables, the data itself."""
    guards = "".join(guard for name, guard in _GUARDS if name in program)
    bound = [*variables, *(["__now"] if uses_now else [])]
    if not bound:
        return f"{guards}(\n{program}\n)"
    now = "def now: $__now; " if uses_now else ""
    bindings = "".join(f".[{index}] as ${name} | " for index, name in enumerate(bound))
    return f"{bindings}.[{len(bound)}] | {now}{guards}(\n{program}\n)"


class Prepared:
    """What is known of a program before it sees a value: whatever an evaluation need not find out again."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.names = tuple(sorted(names(program)))
        self.function = simple(program)
        self.uses_now = _NEEDS_NOW.search(program) is not None
        self.cost: Cost | None = None
        self._wrapped = _wrap(program, self.names, uses_now=self.uses_now)
        """With all variables that it names: only what a program binds itself is missing."""

    def measure(self) -> Cost:
        """What it may cost, which is then known as ``cost``."""
        from lowtide.expressions.cost import Cost  # not at a cold start: most programs never come to jq

        self.cost = cost = Cost(self.program)
        return cost

    def bind(self, variables: Variables) -> dict[str, JSON]:
        """The values of the variables that the program may refer to, by name and in its order."""
        bound: dict[str, JSON] = {}
        for name in self.names:
            value = variables.get(name, _ABSENT)
            if value is not _ABSENT:
                bound[name] = value
        return bound

    def request(self, value: JSON, variables: Variables, now: Millis) -> tuple[str, str]:
        """The wrapped program and its input as JSON text."""
        wrapped, given = self._wrapped, value
        if self.names or self.uses_now:
            bound = self.bind(variables)
            if len(bound) < len(self.names):
                wrapped = _wrap(self.program, tuple(bound), uses_now=self.uses_now)
            if self.uses_now:
                given = [*bound.values(), now / 1000, value]
            elif bound:
                given = [*bound.values(), value]
        try:
            return wrapped, _encode(given).decode()
        except RecursionError as error:
            raise ExpressionFailed("its input is nested too deeply") from error


prepare = lru_cache(maxsize=4096)(Prepared)


class Programs:
    """Compiled programs, about 2.6 KiB each, the least recently used dropped first; for several threads."""

    def __init__(self, size: int = 2000) -> None:
        self._size = size
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._crowded = False
        """Whether it is half full: before, nothing is dropped soon, and it does not matter what was used last."""

    def first(self, wrapped: str, text: str) -> JSON:
        """The first output, ``None`` where there is none. Raises :class:`ExpressionFailed`."""
        program = self._compiled.get(wrapped)
        if program is None or self._crowded:
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
            self._crowded = len(self._compiled) > self._size // 2
            if len(self._compiled) > self._size:
                self._compiled.popitem(last=False)
        return program


def _reason(error: ValueError) -> str:
    """libjq's message without the parts that speak of our wrapping."""
    lines = [line.removeprefix("jq: error: ") for line in str(error).splitlines()]
    kept = [re.sub(r" at <top-level>, line \d+.*$", "", line) for line in lines if not line.startswith("jq: ")]
    return kept[0] if kept and kept[0] else "it has no valid syntax"
