"""What travels between an owner and the journal: entries, how an epoch ended, the answer to an opening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lowtide.model.base import ExecutionId, Millis, Noun, Value
from lowtide.model.error import Error
from lowtide.model.event import Event
from lowtide.model.fact import Fact
from lowtide.model.phase import Phase
from lowtide.wire.claims import Payload

__all__ = ["Change", "Claimed", "Closing", "Entry", "JournalRecord", "LeaseState", "Opened", "Outline", "Subject"]


class Claimed(Noun, frozen=True, kw_only=True, tag_field="kind", tag="claimed"):
    """In the place of an event that is too large for the journal: its JSON is in the payload store."""

    payload: Payload


class Entry(Noun, frozen=True, kw_only=True):
    """One journaled event.

    ``turn`` is the number of turns that the state had seen when the event was fed: a fold runs unfinished (``more``)
    turns up to it first, so that a replay interleaves as the live execution did. ``key`` is the inbox row that the
    event came from, if any.
    """

    turn: int
    event: Event | Claimed
    key: str | None = None

    @property
    def happened(self) -> Event:
        """The event of an entry that is whole."""
        assert not isinstance(self.event, Claimed), "references are resolved where they come in"
        return self.event


class JournalRecord(Noun, frozen=True, kw_only=True):
    """An entry where it stands in the journal: consecutive numbers from 1, across all epochs of the execution."""

    number: int
    epoch: int
    entry: Entry


class Closing(Value, frozen=True):
    """How an epoch ends: the outcome event's ``type`` and ``body``, stored with the journal."""

    type: str
    body: bytes


class Opened(Value, frozen=True):
    """The answer to the opening of an epoch.

    ``tail`` are the journal's entries after ``upto``, in order, with their numbers; set when the answer is *ok*.
    ``closing`` is set when the answer is *closed*; ``reason`` says why in all other cases.
    """

    answer: Literal["ok", "held", "closed", "gone", "diverged"]
    tail: tuple[tuple[int, Entry], ...] = ()
    closing: Closing | None = None
    reason: str = ""


class Subject(Value, frozen=True):
    """Whom a fact, a log line or usage is about."""

    namespace: str
    workflow: str
    version: str
    execution: ExecutionId


class Change(Value, frozen=True, kw_only=True):
    """What control knows of an execution, told to analytics. ``number`` orders the changes of one execution.

    ``reason`` is why it is suspended or cancelled. ``facts`` are what became of its tasks where no invocation says so.
    ``parent_task`` is the entry of the parent's task that runs it.
    """

    subject: Subject
    number: int
    phase: Phase
    epoch: int
    created_at: Millis
    started_at: Millis | None = None
    ended_at: Millis | None = None
    error: Error | None = None
    parent: ExecutionId | None = None
    tags: Mapping[str, str] = {}
    reason: str | None = None
    facts: tuple[Fact, ...] = ()
    parent_task: str | None = None


class Outline(Value, frozen=True, kw_only=True):
    """What a version of a workflow is made of: ``body`` is the JSON of its nodes and edges (``lowtide.dsl.draw``)."""

    namespace: str
    workflow: str
    version: str
    deployed_at: Millis
    body: bytes


class LeaseState(Value, frozen=True):
    """The newest epoch of an execution that was ever opened: whether its owner lives, how it ended if it did, and the
    name of the process that opened it last."""

    epoch: int
    alive: bool
    closing: Closing | None = None
    owner: str = ""
