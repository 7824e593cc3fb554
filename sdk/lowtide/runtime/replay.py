"""An execution played again from its journal, step by step and without any effect.

The engine is a pure function of plan, seed and journal: what it wanted and what it knew is here again at every record,
with the engine of this version. An outcome that differs from the recorded one says that a version changed its mind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lowtide.engine import Host, Turn, begin, resume
from lowtide.model.base import JSON, Noun, Value
from lowtide.model.command import Command
from lowtide.model.event import Event
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Completed, Faulted, Outcome, Seed, State
from lowtide.wire.masking import NOTHING_SECRET, Mask
from lowtide.wire.records import JournalRecord

__all__ = ["Recording", "Step", "steps"]


class Recording(Noun, frozen=True):
    """An execution on record: ``execution`` is what the API shows of it, ``items`` its whole journal."""

    plan: Plan
    seed: Seed
    items: tuple[JournalRecord, ...] = ()
    execution: dict[str, JSON] = {}

    def difference(self, outcome: Outcome | None, mask: Mask = NOTHING_SECRET) -> str | None:
        """Where a replay that came to ``outcome`` did not end as the execution did: how, in one sentence.

        What ``mask`` hides is equal: the record may have been masked when it was given out.
        """
        recorded = self.execution.get("phase"), self.execution.get("output"), self.execution.get("error")
        match outcome:
            case Completed(output=output):
                replayed: tuple[str, JSON, JSON] = ("completed", output, None)
            case Faulted(error=error):
                replayed = ("faulted", None, error.as_json())
            case _:
                return None  # it had not ended yet, or somebody cancelled it, which is in no journal where it waited
        if recorded[0] not in _ENDINGS or mask.json(list(recorded)) == mask.json(list(replayed)):
            return None
        return f"it was recorded as {recorded[0]}, but this version comes to another end: {replayed[0]}"


_ENDINGS: Final = frozenset({"completed", "faulted"})


class Step(Value, frozen=True):
    """What one record did. ``number`` 0 is the beginning, whose ``event`` is ``None``.

    ``facts`` are what the timeline learned, ``wanted`` the commands that were new, ``retracted`` the ids that were no
    longer wanted; ``state`` is the state after it.
    """

    number: int
    epoch: int
    event: Event | None
    facts: tuple[Fact, ...]
    wanted: tuple[Command, ...]
    retracted: tuple[str, ...]
    state: State

    @property
    def outcome(self) -> Outcome | None:
        return self.state.outcome


def steps(
    plan: Plan, seed: Seed, records: Sequence[JournalRecord], host: Host, *, rest: int | None = None
) -> Iterator[Step]:
    """The beginning, then one step per record. A turn that said ``more`` goes on within the step that it belongs to;
    after the last record for ``rest`` turns, or as far as it goes."""
    ends = [record.entry.turn for record in records]
    turns = [begin(plan, seed, host)]
    _go_on(plan, turns, host, ends[0] if ends else None, rest)
    yield _step(0, 1, None, turns)
    for place, record in enumerate(records):
        turns = [resume(plan, turns[-1].state, record.entry.happened, host)]
        _go_on(plan, turns, host, ends[place + 1] if place + 1 < len(ends) else None, rest)
        yield _step(record.number, record.epoch, record.entry.happened, turns)


def _go_on(plan: Plan, turns: list[Turn], host: Host, until: int | None, rest: int | None) -> None:
    """Up to the turn at which the next event was fed; without a next one, ``rest`` more turns."""
    if until is None and rest is not None:
        until = turns[-1].state.turn + rest
    while turns[-1].more and (until is None or turns[-1].state.turn < until):
        turns.append(resume(plan, turns[-1].state, None, host))


def _step(number: int, epoch: int, event: Event | None, turns: Sequence[Turn]) -> Step:
    state = turns[-1].state
    wanted = {command.id: command for turn in turns for command in turn.commands}
    return Step(
        number=number,
        epoch=epoch,
        event=event,
        facts=tuple(fact for turn in turns for fact in turn.facts),
        wanted=tuple(wanted.values()),
        retracted=tuple(command for turn in turns for command in turn.retracted),
        state=state,
    )
