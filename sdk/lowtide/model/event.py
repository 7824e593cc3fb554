"""What happened: the only things that move an execution. Each carries its own time and a random number.

The journal of an execution is the ordered list of these. ``random`` was drawn outside the engine, uniform in [0, 1);
jitter is derived from it, so that a replay takes the same delays.
"""

from typing import TypeAlias

from lowtide.model.base import JSON, Millis, Noun
from lowtide.model.error import Error

__all__ = [
    "CancelAsked",
    "ChildEnded",
    "EffectFailed",
    "EffectSucceeded",
    "Event",
    "EventsReceived",
    "Forked",
    "Received",
    "TimerFired",
]


class _Happened(Noun, frozen=True, kw_only=True, tag_field="kind"):
    at: Millis
    random: float = 0.0


class EffectSucceeded(_Happened, frozen=True, kw_only=True, tag="succeeded"):
    """The command's effect was performed; ``output`` is its result."""

    command: str
    output: JSON = None


class EffectFailed(_Happened, frozen=True, kw_only=True, tag="failed"):
    command: str
    error: Error


class TimerFired(_Happened, frozen=True, kw_only=True, tag="timer"):
    """A ``Sleep`` ended. Authoritative: nobody asks the clock again."""

    command: str


class Received(Noun, frozen=True):
    """One CloudEvent (JSON form) that matched filter number ``filter`` of an ``Await`` (-1: its ``until``)."""

    event: dict[str, JSON]
    filter: int = 0


class EventsReceived(_Happened, frozen=True, kw_only=True, tag="received"):
    command: str
    events: tuple[Received, ...]


class ChildEnded(_Happened, frozen=True, kw_only=True, tag="child"):
    """A child execution ended: ``error`` is set when it faulted or was cancelled."""

    command: str
    execution: str
    output: JSON = None
    error: Error | None = None


class CancelAsked(_Happened, frozen=True, kw_only=True, tag="cancel"):
    reason: str = "cancelled by request"


class Forked(_Happened, frozen=True, kw_only=True, tag="forked"):
    """What was journaled before this record happened to ``origin``; from here on this execution goes its own way.

    For its timers and deadlines no time passed in between.
    """

    origin: str


Event: TypeAlias = EffectSucceeded | EffectFailed | TimerFired | EventsReceived | ChildEnded | CancelAsked | Forked
