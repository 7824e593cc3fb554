"""The lifecycle events of one execution in one process: what orchestrate and execute tell together on the platform."""

from __future__ import annotations

from collections.abc import Callable

from lowtide.engine.frames import open_frames
from lowtide.engine.run import frame_id
from lowtide.model.base import JSON, Millis
from lowtide.model.error import Error
from lowtide.model.fact import Fact
from lowtide.model.phase import ENDED, Phase
from lowtide.model.plan import Plan
from lowtide.model.state import State
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.lifecycle import About, level_of, of_change, of_facts, of_listening, of_rest
from lowtide.wire.records import Change, Subject
from lowtide.wire.types import Level

__all__ = ["Tell", "Teller"]

Tell = Callable[[CloudEvent], None]


class Teller:
    """Tells ``tell`` what becomes of an execution; ``level`` is what its document does not say otherwise."""

    def __init__(self, tell: Tell | None, plan: Plan, subject: Subject, level: Level, now: Millis) -> None:
        self._tell = tell
        wanted: Level = "none" if tell is None else level_of(plan.definition, level)
        self._about = About(subject, wanted, secretive=bool(plan.secrets))
        self._began = now
        self._last: Change | None = None

    def phase(self, phase: Phase, at: Millis, *, output: JSON = None, error: Error | None = None) -> None:
        changed = Change(
            subject=self._about.subject,
            number=self._number + 1,
            phase=phase,
            epoch=1,
            created_at=self._began,
            started_at=self._began,
            ended_at=at if phase in ENDED else None,
            error=error,
        )
        self._send(of_change(self._about, self._last, changed, at, output=output))
        self._last = changed

    def rest(self, phase: Phase, state: State, at: Millis) -> None:
        """It is suspended, or goes on, and so do the tasks that are under way."""
        self.phase(phase, at)
        entries = [(frame_id(frame), frame.ref) for frame in open_frames(state)]
        suspended = phase == "suspended"
        self._send(
            of_rest(self._about, "suspended" if suspended else "resumed", entries, at, state.facts, self._number)
        )

    def listens(self, command: str, at: Millis) -> None:
        self._send(of_listening(self._about, command, at, self._number))

    def facts(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            if fact.kind == "listen" and fact.status == "completed":
                self._send(of_listening(self._about, fact.task, fact.at, self._number, fact.keys))
            self._send(of_facts(self._about, (fact,)))

    @property
    def _number(self) -> int:
        return 0 if self._last is None else self._last.number

    def _send(self, events: tuple[CloudEvent, ...]) -> None:
        if self._tell is not None:
            for event in events:
                self._tell(event)
