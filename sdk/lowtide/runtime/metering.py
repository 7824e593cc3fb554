"""What the effects of one invocation took, beside the facts that follow from them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from lowtide.model.base import JSON, Millis
from lowtide.model.command import Command, Perform, Publish, RunChild
from lowtide.model.fact import Fact
from lowtide.model.usage import Spent
from lowtide.wire import json

__all__ = ["Meter"]

_ENDS: Final = frozenset({"completed", "faulted", "cancelled", "skipped", "retried"})


class Meter:
    """``bytes_in`` are those of the results as the journal has them, ``bytes_out`` of what effects were given, as JSON;
    ``kinds`` counts what was started: http, grpc, step, event, workflow ..."""

    def __init__(self) -> None:
        self.bytes_in = self.bytes_out = 0
        self.input_tokens = self.output_tokens = 0
        self.kinds: dict[str, int] = {}
        self._spent: dict[str, Spent] = {}
        self._entered: dict[str, Millis] = {}

    def started(self, command: Command) -> None:
        kind = _kind(command)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def ended(self, command: Command, active_ms: float, bytes_in: int, answer: JSON = None) -> None:
        """``command`` has a result, of ``bytes_in`` bytes: its ``answer``, where it did not fail."""
        bytes_out = len(json.encode(_given(command)))
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        read, written = _tokens(answer)
        self.input_tokens += read
        self.output_tokens += written
        task = command.id.partition("!")[0]  # one task asks for many batches of its messages
        before = self._spent.get(task, Spent())
        self._spent[task] = Spent(
            effect=_kind(command),
            active_ms=round(before.active_ms + active_ms, 3),
            bytes_in=before.bytes_in + bytes_in,
            bytes_out=before.bytes_out + bytes_out,
            input_tokens=before.input_tokens + read,
            output_tokens=before.output_tokens + written,
        )

    def measured(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """The facts with what is known of their tasks: how long the entry took, if it began here, and its effects."""
        return tuple([self._with_spent(fact) for fact in facts])

    def _with_spent(self, fact: Fact) -> Fact:
        if fact.status not in _ENDS:
            self._entered.setdefault(fact.task, fact.at)
            return fact
        entered, spent = self._entered.pop(fact.task, None), self._spent.pop(fact.task, None)
        if entered is None and spent is None:
            return fact
        took = None if entered is None else float(fact.at - entered)
        return replace(fact, spent=replace(spent or Spent(), duration_ms=took))


def _tokens(answer: JSON) -> tuple[int, int]:
    """What models read and wrote for it, as far as it says so."""
    if type(answer) is not dict or not ("usage" in answer or "content" in answer):
        return 0, 0
    from lowtide.runtime.tokens import tokens_of  # few answers are those of models: others do not pay for it

    return tokens_of(answer)


def _kind(command: Command) -> str:
    match command:
        case Perform(call=call):
            return call
        case Publish():
            return "event"
        case RunChild():
            return "workflow"
        case _:
            return "container"


def _given(command: Command) -> object:
    match command:
        case Perform(arguments=arguments):
            return arguments
        case Publish(event=event):
            return event
        case RunChild(input=given):
            return given
        case _:
            return None
