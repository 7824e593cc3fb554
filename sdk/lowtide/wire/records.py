"""What travels between an owner and the journal: entries, how an epoch ended, the answer to an opening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lowtide.model.base import ExecutionId, Noun
from lowtide.model.event import Event

__all__ = ["Closing", "Entry", "Opened", "Subject"]


class Entry(Noun, frozen=True, kw_only=True):
    """One journaled event.

    ``turn`` is the number of turns that the state had seen when the event was fed: a fold runs unfinished (``more``)
    turns up to it first, so that a replay interleaves as the live execution did. ``key`` is the inbox row that the
    event came from, if any.
    """

    turn: int
    event: Event
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """How an epoch ends: the outcome event's ``type`` and ``body``, stored with the journal."""

    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to the opening of an epoch.

    ``tail`` are the journal's entries after ``upto``, in order, with their numbers; set when the answer is *ok*.
    ``closing`` is set when the answer is *closed*; ``reason`` says why in all other cases.
    """

    answer: Literal["ok", "held", "closed", "gone", "diverged"]
    tail: tuple[tuple[int, Entry], ...] = ()
    closing: Closing | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a fact, a log line or usage is about."""

    namespace: str
    workflow: str
    version: str
    execution: ExecutionId
