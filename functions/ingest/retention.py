"""How long the analytics store keeps what, as the setting says it: ``logs=P14D, executions=P90D, shop/logs=P2D``.

Kinds are those of :data:`KEPT`; ``namespace/kind`` is for one tenant, shorter or longer. What is not named is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from lowtide.errors import Misconfigured
from lowtide.model.ours import retention

__all__ = ["KEPT", "Kept", "Retention", "retention_of"]


@dataclass(frozen=True)
class Kept:
    """A table; ``day`` is what it is partitioned by, ``age`` the column that says how old a row is."""

    table: str
    key: tuple[str, ...]
    day: str = ""
    age: str = "at"


_CELL: Final = ("namespace", "measure", "at", "workflow", "version", "task")

KEPT: Final = {
    "executions": Kept("executions", ("execution",), "execution", "ended_at"),
    "facts": Kept("task_facts", ("execution", "number"), "execution"),
    "logs": Kept("logs", ("execution", "at", "id"), "execution"),
    "usages": Kept("usage", ("execution", "epoch"), "execution"),
    "metrics": Kept("metric_samples", ("at", "id"), "at"),
    "minutes": Kept("rollups_minute", _CELL, "at"),
    "hours": Kept("rollups_hour", _CELL),
    "days": Kept("rollups_day", _CELL),
}


@dataclass(frozen=True)
class Retention:
    """``kinds`` for all namespaces but those in ``namespaces``, which is by kind."""

    kinds: Mapping[str, timedelta] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, timedelta]] = field(default_factory=dict)

    def longest(self, kind: str) -> timedelta | None:
        """After which nobody wants anything of this kind; ``None`` where somebody does for ever."""
        usual = self.kinds.get(kind)
        return None if usual is None else max(usual, *self.namespaces.get(kind, {}).values(), usual)

    def own(self, kind: str) -> Mapping[str, timedelta]:
        """Namespace -> how long, where that is said for the namespace alone."""
        return self.namespaces.get(kind, {})


def retention_of(given: str) -> Retention:
    """Raises :class:`lowtide.errors.Misconfigured` where a part is none."""
    kinds: dict[str, timedelta] = {}
    namespaces: dict[str, dict[str, timedelta]] = {}
    for part in filter(None, (part.strip() for part in given.split(","))):
        what, equals, length = part.partition("=")
        namespace, slash, kind = what.strip().rpartition("/")
        if not equals or kind not in KEPT or (slash and not namespace):
            raise Misconfigured(
                f"LOWTIDE_RETAIN_ANALYTICS: {part!r} is not KIND=DURATION or NAMESPACE/KIND=DURATION, as logs=P14D; "
                f"kinds are {', '.join(KEPT)}"
            )
        try:
            kept = timedelta(milliseconds=retention(length.strip()))
        except (ValueError, OverflowError) as error:
            raise Misconfigured(f"LOWTIDE_RETAIN_ANALYTICS: {part!r}: {error}") from error
        if namespace:
            namespaces.setdefault(kind, {})[namespace] = kept
        else:
            kinds[kind] = kept
    return Retention(kinds, namespaces)
