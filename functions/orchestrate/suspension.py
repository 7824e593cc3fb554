"""Suspend and resume as pure functions: what follows in each phase (dsl.md, "Status Phases").

A suspended execution is woken by nothing: timers, events and the ends of children stay in its inbox until it is
resumed. One that runs is not stopped in the middle of an effect: its owner is asked to park, and then it is suspended.
"""

from __future__ import annotations

from typing import Final, Literal

from lowtide.model.phase import Phase
from lowtide.model.state import State
from lowtide.wire.types import Wake

from .nouns import Commands

__all__ = ["YIELD", "Resuming", "Suspending", "is_unfinished", "on_resume", "on_suspend", "parks_as"]

YIELD: Final = Wake(key="yield", event=None)
"""What the owner of a running execution is told."""

Suspending = Literal["stay", "now", "mark", "ask"]
Resuming = Literal["stay", "withdraw", "again", "wake"]


def on_suspend(phase: Phase, *, asked: bool, cancelled: bool, out: bool) -> Suspending:
    """What an operator's suspend does to an execution that has not ended.

    ``asked``: it was asked before; ``cancelled``: it was asked to cancel, which wins; ``out``: a dispatch of its may be
    on its way or being performed. *now*: nothing runs; *ask*: its owner is told to park; *mark*: the system had
    suspended it, and should its lost invocation park after all, it stays suspended.
    """
    if asked or cancelled:
        return "stay"
    if phase == "suspended":
        return "mark" if out else "stay"
    return "ask" if out else "now"


def on_resume(phase: Phase, *, asked: bool, dispatched: bool) -> Resuming:
    """What an operator's resume does to an execution that has not ended.

    *withdraw*: it still runs, and need not park; *again*: its newest dispatch is issued again (it never led to an
    outcome); *wake*: it had parked, and the one rule decides.
    """
    if phase != "suspended":
        return "withdraw" if asked else "stay"
    return "again" if dispatched else "wake"


def parks_as(*, asked: bool, cancelled: bool) -> Phase:
    """The phase of an execution whose invocation parks; a cancel that waits in its inbox wins over a suspend."""
    return "suspended" if asked and not cancelled else "waiting"


def is_unfinished(state: State | None, commands: Commands) -> bool:
    """Whether a parked execution has work left that only a process can do: it is resumed without any wake.

    ``commands`` are the passive ones among what is pending; ``None``: it never got as far as a snapshot.
    """
    return state is None or state.more or len(commands) < len(state.pending)
