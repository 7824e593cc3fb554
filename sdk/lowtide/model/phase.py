"""The standard's status phases (dsl.md, "Status Phases")."""

from typing import Final, Literal, get_args

__all__ = ["ENDED", "PHASES", "Phase"]

Phase = Literal["pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed"]

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

ENDED: Final[frozenset[Phase]] = frozenset({"cancelled", "faulted", "completed"})
