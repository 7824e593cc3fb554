"""An execution played again from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lowtide.expressions import JqHost
from lowtide.model.command import Perform
from lowtide.model.state import Completed, Seed
from lowtide.runtime.replay import Recording, Step, steps
from lowtide.wire import json
from lowtide.wire.records import Entry, JournalRecord
from lowtide.wire.states import read
from tests.histories.recording import History, files
from tests.plays import NOW, Play, document, play


@pytest.fixture
def host() -> Iterator[JqHost]:
    with closing(JqHost()) as host:
        yield host


def recording_of(made: Play, **execution: object) -> Recording:
    seed = Seed(execution=made.state.execution, at=NOW, random=0.25)
    items = tuple(
        JournalRecord(number=number, epoch=1, entry=Entry(turn=turn, event=event))
        for number, (turn, event) in enumerate(made.entries, 1)
    )
    return Recording(made.plan, seed, items, execution)


def replayed(recording: Recording, host: JqHost) -> list[Step]:
    return list(steps(recording.plan, recording.seed, recording.items, host))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_step_shows_the_state_that_was_recorded(path: Path, host: JqHost) -> None:
    history = json.decode(path.read_bytes(), History)
    items = tuple(
        JournalRecord(number=number, epoch=1, entry=Entry(turn=record.turn, event=record.event))
        for number, record in enumerate(history.records, 1)
    )
    played = list(steps(history.plan, history.seed, items, host))
    assert [step.number for step in played] == list(range(len(items) + 1))
    shots = [read(json.encode(shot)) for shot in (history.first, *(one.snapshot for one in history.records))]
    for step, shot in zip(played, shots, strict=True):
        assert (step.state.turn, step.state.facts, step.state.pending) == (shot.turn, shot.facts, shot.pending)
    assert played[-1].outcome == history.outcome


def test_a_step_says_what_happened_what_the_timeline_learned_and_what_was_wanted_next(host: JqHost) -> None:
    made = play("do:\n- ask: {call: price, with: {item: 1}}\n- tell: {set: {told: true}}")
    begun, answered = replayed(recording_of(made), host)
    assert begun.event is None
    assert [command.call for command in begun.wanted if isinstance(command, Perform)] == ["step"]
    assert [(fact.name, fact.status) for fact in answered.facts] == [
        ("ask", "completed"),
        ("tell", "running"),
        ("tell", "completed"),
    ]
    assert answered.outcome == Completed({"told": True})


def test_turns_that_took_several_steps_of_the_loop_belong_to_one_step(host: JqHost) -> None:
    body = "do:\n- count: {for: {in: '[range(2000)]'}, do: [{add: {set: {n: '${ $item }'}}}]}\n- ask: {call: price}"
    made = Play(document(body), host=host).begin()
    made.settle()
    begun, answered = replayed(recording_of(made), host)
    assert begun.state.turn > 1
    assert answered.outcome == made.outcome


def test_another_end_than_the_recorded_one_is_told() -> None:
    made = play("do:\n- tell: {set: {told: true}}")
    same = recording_of(made, phase="completed", output={"told": True}, error=None)
    assert same.difference(made.outcome) is None
    other = recording_of(made, phase="faulted", output=None, error={"status": 500})
    assert "recorded as faulted" in str(other.difference(made.outcome))
    assert recording_of(made, phase="cancelled").difference(made.outcome) is None
