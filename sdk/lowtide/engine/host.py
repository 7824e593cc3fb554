"""What the engine asks of the process that it runs in: pure functions and constants, no clock and no I/O.

The expression language and JSON Schema live in layers above; they are handed in through :class:`Host`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from lowtide.model.base import JSON, Millis

__all__ = ["WRONG_SCHEMA", "ExpressionFailed", "Host", "Variables", "WouldWait"]

WRONG_SCHEMA: Final = "the schema itself is wrong"
"""So begins the one violation of a schema that is none."""


class ExpressionFailed(Exception):
    """An expression did not compile or did not evaluate; ``str(error)`` is the reason alone.

    ``syntax``: it did not compile at all.
    """

    def __init__(self, reason: str, *, syntax: bool = False) -> None:
        super().__init__(reason)
        self.syntax = syntax


class WouldWait(Exception):
    """A host that may not keep its thread waiting was asked for something that takes long: the turn is computed again
    elsewhere. Not an :class:`ExpressionFailed`, so that no workflow ever sees it."""


class Variables(Protocol):
    """The variables that an expression may use; values are computed when asked for. A mapping is one."""

    def get(self, name: str, absent: JSON, /) -> JSON:
        """The value of a variable, or ``absent`` where there is none of that name."""
        ...


class Host(Protocol):
    """Expression language, schema validation, secrets and the runtime descriptor."""

    @property
    def secrets(self) -> Mapping[str, JSON]:
        """The secrets that workflows may read, by name."""
        ...

    @property
    def runtime(self) -> dict[str, JSON]:
        """``$runtime``: name, version, metadata."""
        ...

    def evaluate(self, program: str, value: JSON, variables: Variables, now: Millis) -> JSON:
        """The first output of ``program`` on ``value``; ``None`` where it has none (decision A-3).

        Raises :class:`ExpressionFailed`.
        """
        ...

    def names(self, program: str) -> frozenset[str]:
        """The variables that a program may refer to, without ``$``."""
        ...

    def violations(self, schema: JSON, value: JSON) -> list[str]:
        """What is wrong with ``value``, one text each with its JSON pointer; empty where it fits the schema."""
        ...
