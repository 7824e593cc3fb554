"""Which ``$variables`` an expression may name: the standard's table (dsl.md, "Runtime expression arguments")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ALWAYS", "KNOWN", "Scope", "TaskScope"]

ALWAYS: Final = frozenset({"ENV", "__loc__", "__prog_args"})
"""What jq itself defines; ``$ENV`` is empty (decision A-20)."""

_START: Final = frozenset({"secrets", "workflow", "runtime"})
_BEFORE: Final = _START | {"context", "task"}
_BODY: Final = _BEFORE | {"input", "authorization"}
_EXPORT: Final = _BODY | {"output"}
_END: Final = _START | {"context"}

KNOWN: Final = _EXPORT
"""Every variable that the standard defines somewhere."""


@dataclass(frozen=True, slots=True)
class Scope:
    """``place`` says in words where the expression stands, ``visible`` which variables it may name.

    ``shows`` marks places whose value leaves the execution's encrypted state: outputs, exports and raised errors.
    """

    place: str
    visible: frozenset[str]
    shows: bool = False


@dataclass(frozen=True, slots=True)
class TaskScope:
    """The scopes of one task; ``local`` are the loop and ``catch`` variables of what surrounds it."""

    local: frozenset[str] = frozenset()

    def with_local(self, *names: str) -> TaskScope:
        return TaskScope(self.local | set(names))

    @property
    def before(self) -> Scope:
        return Scope("'if' and 'input'", _BEFORE | self.local)

    @property
    def body(self) -> Scope:
        return Scope("a task", _BODY | self.local)

    @property
    def error(self) -> Scope:
        return Scope("an error that is raised", _BODY | self.local, shows=True)

    @property
    def output(self) -> Scope:
        return Scope("a task's 'output'", _BODY | self.local, shows=True)

    @property
    def export(self) -> Scope:
        return Scope("a task's 'export'", _EXPORT | self.local, shows=True)

    @staticmethod
    def start() -> Scope:
        return Scope("the workflow's 'input' and 'schedule'", _START)

    @staticmethod
    def end() -> Scope:
        return Scope("the workflow's 'output'", _END, shows=True)
