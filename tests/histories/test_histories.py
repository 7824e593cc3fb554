"""Executions that an older version began go on under this one: from every snapshot, to the same outcome."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from lowtide.engine import begin, fold
from lowtide.expressions import JqHost
from lowtide.model.state import State
from lowtide.wire import json
from lowtide.wire.states import read, write
from lowtide.wire.types import SNAPSHOT_FORMAT, SnapshotFormat
from tests.histories.documents import STORIES
from tests.histories.recording import FOLDER, History, files

HOST = JqHost()
FORMATS: tuple[SnapshotFormat, ...] = get_args(SnapshotFormat)

each_history = pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}/{path.stem}")


def history_of(path: Path) -> History:
    return json.decode(path.read_bytes(), History)


def state_of(snapshot: object) -> State:
    return read(json.encode(snapshot))


@each_history
def test_every_snapshot_goes_on_to_the_recorded_outcome(path: Path) -> None:
    history = history_of(path)
    snapshots = [history.first, *(record.snapshot for record in history.records)]
    entries = [(record.turn, record.event) for record in history.records]
    for place, snapshot in enumerate(snapshots):
        state, _ = fold(history.plan, state_of(snapshot), entries[place:], HOST)
        assert state.outcome == history.outcome, f"from snapshot {place}"


@each_history
def test_every_turn_wants_what_it_wanted_when_it_was_recorded(path: Path) -> None:
    """Timers, listeners and inbox rows in the stores are named after commands: their ids must not change."""
    history = history_of(path)
    state = begin(history.plan, history.seed, HOST).state
    assert state.pending == state_of(history.first).pending
    for place, record in enumerate(history.records):
        state, _ = fold(history.plan, state, [(record.turn, record.event)], HOST)
        assert state.pending == state_of(record.snapshot).pending, f"after record {place}"


@each_history
def test_every_format_is_written_as_it_was_when_it_was_recorded(path: Path) -> None:
    """Also an older one: processes of its time read what this version writes in a rollout."""
    history, (as_format,) = history_of(path), (one for one in FORMATS if path.parent.name == f"format-{one}")
    for snapshot in (history.first, *(record.snapshot for record in history.records)):
        assert json.parse(write(state_of(snapshot), as_format)) == snapshot


def test_the_present_format_is_recorded() -> None:
    recorded = {path.stem for path in (FOLDER / f"format-{SNAPSHOT_FORMAT}").glob("*.json")}
    assert recorded == STORIES.keys(), "write what is missing: python -m tests.histories.recording"
