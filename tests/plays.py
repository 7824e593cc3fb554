"""Playing the pure engine by hand: what it wants is answered at once, in an order that the test chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lowtide.dsl import plan
from lowtide.engine import Host, Turn, begin, resume
from lowtide.expressions import JqHost
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Await, Command, Perform, Publish, RunChild, RunContainer, Sleep
from lowtide.model.error import Error
from lowtide.model.event import ChildEnded, EffectFailed, EffectSucceeded, Event, EventsReceived, Received, TimerFired
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Completed, Faulted, Outcome, Seed, State

__all__ = ["NOW", "Play", "document", "play"]

NOW = Millis(1_700_000_000_000)
HOST = JqHost(secrets={"token": "s3cret"})
_HEAD = "document: {dsl: '1.0.3', namespace: tests, name: sample, version: '1.0.0'}\n"


def document(body: str) -> Plan:
    """A plan from everything but the ``document`` block."""
    return plan(_HEAD + body, "sample.yaml")


@dataclass
class Play:
    """One execution. ``answer`` gives the output of a call or raises; ``entries`` is the journal so far."""

    plan: Plan
    host: Host = HOST
    answer: Callable[[Perform], Any] = lambda command: command.arguments
    turn: Turn = field(init=False)
    entries: list[tuple[int, Event]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    performed: list[Perform] = field(default_factory=list)
    slept: list[Sleep] = field(default_factory=list)

    def begin(self, input: Any = None) -> Play:
        self._took(begin(self.plan, Seed(execution=ExecutionId("e"), input=input, at=NOW, random=0.25), self.host))
        return self

    @property
    def state(self) -> State:
        return self.turn.state

    @property
    def outcome(self) -> Outcome | None:
        return self.turn.outcome

    def feed(self, event: Event) -> Play:
        self.entries.append((self.state.turn, event))
        self._took(resume(self.plan, self.state, event, self.host))
        return self

    def _took(self, turn: Turn) -> None:
        self.turn = turn
        self.facts += turn.facts
        while self.turn.more:
            self.turn = resume(self.plan, self.turn.state, None, self.host)
            self.facts += self.turn.facts

    # ------------------------------------------------------------ answering

    def wanted(self, *kinds: type) -> list[Command]:
        return [command for command in self.state.pending.values() if not kinds or isinstance(command, kinds)]

    def answerable(self) -> list[Command]:
        """What the world can answer by itself; deadlines come last, as in life."""
        return [c for c in self.wanted(Perform, Publish, RunChild, RunContainer, Sleep) if not self._is_deadline(c)]

    @staticmethod
    def _is_deadline(command: Command) -> bool:
        return isinstance(command, Sleep) and command.purpose == "deadline"

    def settle(self, choose: Callable[[list[Command]], Command] = lambda commands: commands[0]) -> Play:
        """Answer everything that can be answered until there is an outcome or only listeners are left."""
        while self.outcome is None and (open_commands := self.answerable()):
            self.respond(choose(open_commands))
        return self

    def respond(self, command: Command) -> Play:
        at = Millis(self.state.now + 1)
        match command:
            case Perform():
                self.performed.append(command)
                result = self.answer(command)
                if isinstance(result, Error):
                    return self.feed(EffectFailed(command=command.id, error=result, at=at, random=0.5))
                return self.feed(EffectSucceeded(command=command.id, output=result, at=at, random=0.5))
            case Publish():
                self.published.append(command.event)
                return self.feed(EffectSucceeded(command=command.id, at=at))
            case Sleep():
                self.slept.append(command)
                return self.feed(TimerFired(command=command.id, at=max(at, command.until), random=0.5))
            case RunChild():
                return self.feed(ChildEnded(command=command.id, execution="child", output=command.input, at=at))
            case RunContainer():
                output = command.container.image
                return self.feed(EffectSucceeded(command=command.id, output=output, at=at))
            case Await():
                raise AssertionError("events come from the test: use receive()")

    def expire(self) -> Play:
        """Let the first deadline pass."""
        (sleep, *_) = [command for command in self.wanted(Sleep) if self._is_deadline(command)]
        assert isinstance(sleep, Sleep)
        return self.feed(TimerFired(command=sleep.id, at=sleep.until))

    def receive(self, event: dict[str, Any], filter: int = 0) -> Play:
        (command,) = self.wanted(Await)
        whole = {"specversion": "1.0", "id": f"i{len(self.entries)}", "source": "tests", "type": "t", **event}
        received = (Received(whole, filter),)
        return self.feed(EventsReceived(command=command.id, events=received, at=Millis(self.state.now + 1)))

    # ------------------------------------------------------------ looking

    @property
    def output(self) -> Any:
        outcome = self.outcome
        assert outcome is not None, f"no outcome yet; wanted: {self.wanted()}"
        assert isinstance(outcome, Completed), outcome
        return outcome.output

    @property
    def error(self) -> Error:
        outcome = self.outcome
        assert isinstance(outcome, Faulted), outcome
        return outcome.error

    def statuses(self, name: str) -> list[str]:
        return [fact.status for fact in self.facts if fact.name == name]


def play(body: str, input: Any = None, answer: Callable[[Perform], Any] | None = None) -> Play:
    """Begin a document and settle it."""
    made = Play(document(body)) if answer is None else Play(document(body), answer=answer)
    return made.begin(input).settle()
