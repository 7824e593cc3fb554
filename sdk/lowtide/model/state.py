"""The engine's state: a small, serialisable tree of frames, one frame per task that is being performed.

Frames are the only mutable nouns: a turn copies the tree that it was given and works on its own copy, so that
``resume`` stays a pure function. JSON values inside frames are shared and never changed in place.

How it is written, and how what older versions wrote is read, is the business of ``lowtide.wire.states``.
"""

from typing import Literal, TypeAlias

import msgspec

from lowtide.model.base import JSON, ExecutionId, Millis, Noun
from lowtide.model.command import Command
from lowtide.model.error import Error

__all__ = [
    "Amendment",
    "Body",
    "Branch",
    "CallBody",
    "Cancelled",
    "Completed",
    "DoBody",
    "Extended",
    "Faulted",
    "ForBody",
    "ForkBody",
    "FunctionBody",
    "ListenBody",
    "Outcome",
    "Seed",
    "Sequence",
    "State",
    "SubscriptionBody",
    "TaskFrame",
    "TryBody",
    "WaitBody",
]


class Frame(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Base of all mutable parts of the state. They are a tree: the collector of cycles need not look at them."""


# ---------------------------------------------------------------- outcome


class Completed(Noun, frozen=True, tag_field="status", tag="completed"):
    output: JSON = None


class Faulted(Noun, frozen=True, tag_field="status", tag="faulted"):
    error: Error


class Cancelled(Noun, frozen=True, tag_field="status", tag="cancelled"):
    reason: str = ""


Outcome: TypeAlias = Completed | Faulted | Cancelled


class Amendment(Noun, frozen=True, kw_only=True):
    """What one entry of a task gets instead of what it would get: its raw input, its context, or both."""

    input: JSON | msgspec.UnsetType = msgspec.UNSET
    context: JSON | msgspec.UnsetType = msgspec.UNSET


class Seed(Noun, frozen=True, kw_only=True):
    """What an execution begins with: all that the first turn needs to know of the world.

    ``amendments`` are by task entry (``{ref}@{path}``): what the execution changes of the one that it was forked from.
    """

    execution: ExecutionId
    input: JSON = None
    at: Millis
    random: float = 0.0
    amendments: dict[str, Amendment] = {}


# ---------------------------------------------------------------- frames


class TaskFrame(Frame, kw_only=True):
    """One entry of one task.

    ``ref`` is the task's JSON pointer as seen from this execution, ``path`` the entry numbers of the frames above
    and of this one, joined by dots; ``{ref}@{path}`` is the frame's identity and that of the command it issues.
    ``attempt`` is that of the nearest enclosing ``try``.
    ``raw`` and ``input`` are the task's raw and transformed input. ``deadline`` is set by a timeout.
    """

    ref: str
    path: str
    kind: str
    started: Millis
    attempt: int = 1
    raw: JSON = None
    input: JSON = None
    deadline: Millis | None = None
    body: "Body | None" = None
    extended: "Extended | None" = None


class Extended(Frame, kw_only=True):
    """The extensions of one task that is being performed; ``None`` in its frame where no extension is for its kind.

    ``index`` is the extension (of the plan's) that is tried, ``applied`` those whose ``after`` is to come, ``seq``
    the list that is being performed. ``output`` and ``then`` are what the task gave, from stage ``after`` on, and
    ``authorization`` what its call authenticated with.
    """

    stage: Literal["before", "task", "after"] = "before"
    index: int = 0
    applied: list[int] = msgspec.field(default_factory=list)
    seq: "Sequence | None" = None
    output: JSON = None
    then: str | None = None
    authorization: JSON = None


class Sequence(Frame, kw_only=True):
    """A list of tasks that is being performed in order.

    ``index`` is the next task to enter (or the one being performed when ``child`` is set), ``entered`` counts
    entries, ``data`` is the raw input of the next task.
    """

    index: int = 0
    entered: int = 0
    data: JSON = None
    child: TaskFrame | None = None


class CallBody(Frame, tag_field="k", tag="call"):
    """An effect, a child or a publication is under way: the frame's own command is pending."""


class WaitBody(Frame, tag_field="k", tag="wait"):
    """The frame's own ``Sleep`` is pending."""


class FunctionBody(Frame, tag_field="k", tag="function"):
    child: TaskFrame | None = None
    done: bool = False


class DoBody(Frame, tag_field="k", tag="do"):
    seq: Sequence


class ForBody(Frame, tag_field="k", tag="for"):
    """``data`` is carried from iteration to iteration; ``seq`` is ``None`` between two of them."""

    items: list[JSON]
    data: JSON
    index: int = 0
    seq: Sequence | None = None


class Branch(Frame, kw_only=True):
    """One branch of a fork: its own context until the join (decision A-7)."""

    context: JSON = None
    frame: TaskFrame | None = None
    status: Literal["ready", "blocked", "completed", "faulted", "cancelled"] = "ready"
    output: JSON = None
    error: Error | None = None


class ForkBody(Frame, tag_field="k", tag="fork"):
    branches: list[Branch]


class TryBody(Frame, tag_field="k", tag="try"):
    """``stage`` is what is being performed: the ``try`` list, the delay before a retry, or ``catch.do``.

    ``attempt`` counts from 1; ``since`` is when the first attempt began.
    """

    since: Millis
    attempt: int = 1
    stage: Literal["try", "delay", "catch"] = "try"
    attempt_deadline: Millis | None = None
    seq: Sequence | None = None
    error: Error | None = None


class ListenBody(Frame, tag_field="k", tag="listen"):
    """``consumed`` are the events as read, in the order they came; ``filters`` are the filters that took them.

    ``until`` are the filters of the ``until`` strategy that matched. ``keys`` are the correlation keys of all of them,
    with their values in the newest event that has them. ``index`` is the next event for ``foreach``,
    ``outputs`` are the results of its iterations; ``closed``: no more events are taken.
    """

    consumed: list[JSON] = msgspec.field(default_factory=list)
    filters: list[int] = msgspec.field(default_factory=list)
    until: list[int] = msgspec.field(default_factory=list)
    keys: dict[str, JSON] = msgspec.field(default_factory=dict)
    outputs: list[JSON] = msgspec.field(default_factory=list)
    index: int = 0
    seq: Sequence | None = None
    closed: bool = False


class SubscriptionBody(Frame, tag_field="k", tag="subscription"):
    """Messages come in batches, each by a command of its own: ``batch`` is the number of the one that is pending or
    being looked at, ``messages`` are what it brought, and ``looked`` says how many of them have been dealt with.

    ``cursor`` is where the broker's messages go on, where the effect knows; ``ends`` when ``for`` is over.
    ``outputs`` are the messages consumed so far, or what ``foreach`` made of them; ``index`` counts them.
    ``ended``: the other side has no more to send. ``closing``: the last command is pending, which gives back what was
    not consumed.
    """

    batch: int = 0
    messages: list[JSON] = msgspec.field(default_factory=list)
    looked: int = 0
    cursor: JSON = None
    ends: Millis | None = None
    outputs: list[JSON] = msgspec.field(default_factory=list)
    index: int = 0
    seq: Sequence | None = None
    ended: bool = False
    closing: bool = False


Body: TypeAlias = (
    CallBody | WaitBody | FunctionBody | DoBody | ForBody | ForkBody | TryBody | ListenBody | SubscriptionBody
)


class State(Frame, kw_only=True):
    """All that an execution is, between two turns.

    ``turn`` counts turns; ``facts`` counts facts; ``now`` is the last turn's time; ``more`` says that the last turn
    stopped before it was done, to let the driver breathe. ``amendments`` are those of the seed whose task was not
    entered yet. ``pending`` are the commands whose event has not come yet, in the order they were issued.
    """

    execution: ExecutionId
    started: Millis
    now: Millis
    random: float = 0.0
    input: JSON = None
    context: JSON = None
    turn: int = 0
    facts: int = 0
    more: bool = False
    deadline: Millis | None = None
    root: Sequence | None = None
    correlations: dict[str, JSON] = msgspec.field(default_factory=dict)
    amendments: dict[str, Amendment] = msgspec.field(default_factory=dict)
    pending: dict[str, Command] = msgspec.field(default_factory=dict)
    outcome: Outcome | None = None
