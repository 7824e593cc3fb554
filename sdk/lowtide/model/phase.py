"""The standard's status phases (dsl.md, "Status Phases")."""

from typing import Final, Literal

__all__ = ["ENDED", "Phase"]

Phase = Literal["pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed"]

ENDED: Final[frozenset[Phase]] = frozenset({"cancelled", "faulted", "completed"})
