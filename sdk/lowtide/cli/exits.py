"""Exit codes, and how errors are told: what is wrong, where, and how to mend it, on stderr."""

from __future__ import annotations

import sys
from typing import Final

from lowtide.errors import (
    AuthRequired,
    Conflict,
    Gone,
    InvalidAnswer,
    InvalidDocument,
    InvalidInput,
    LowtideError,
    NotFound,
    TooLarge,
    Unauthentic,
)

__all__ = ["CANCELLED", "COMPLETED", "FAILED", "FAULTED", "INVALID", "TIMED_OUT", "of_error", "of_phase", "say"]

COMPLETED: Final = 0
FAILED: Final = 1
"""Neither the user's document nor an execution's outcome: a server that is down, a defect."""
INVALID: Final = 2
"""The document, the input or the command line is invalid."""
FAULTED: Final = 3
CANCELLED: Final = 4
TIMED_OUT: Final = 5
"""The execution had not ended when nothing was left to wait for, or the time to wait was over."""

_INVALID: Final = (
    InvalidDocument,
    InvalidInput,
    InvalidAnswer,
    NotFound,
    Conflict,
    Gone,
    TooLarge,
    Unauthentic,
    AuthRequired,
)
_OF_PHASE: Final = {"completed": COMPLETED, "faulted": FAULTED, "cancelled": CANCELLED}


def of_phase(phase: str) -> int:
    """The exit code of an execution in this phase; one that has not ended has timed out."""
    return _OF_PHASE.get(phase, TIMED_OUT)


def of_error(error: LowtideError) -> int:
    """The exit code of an error; the platform's own refusals carry theirs."""
    own: object = getattr(error, "exit_code", None)
    if isinstance(own, int):
        return own
    return INVALID if isinstance(error, _INVALID) else FAILED


def say(text: str) -> None:
    """One diagnostic, on stderr."""
    print(text, file=sys.stderr)
