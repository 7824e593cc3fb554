"""Snapshots of every format go on in a real process, and a setting says which one it writes."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from lowtide.errors import Misconfigured
from lowtide.model.base import Millis
from lowtide.model.command import Sleep
from lowtide.model.event import TimerFired
from lowtide.model.state import Completed
from lowtide.runtime.chance import new_execution_id
from lowtide.settings import ExecuteSettings, OrchestrateSettings
from lowtide.wire.json import decode, encode, parse
from lowtide.wire.types import Ended, Parked, Snapshot, Wake
from tests.histories.documents import STORIES
from tests.histories.recording import FOLDER, History
from tests.integration.execute.conftest import ExecuteProcess, Order, order

NAP = "do: [{keep: {set: {kept: '${ . }'}}}, {nap: {wait: {hours: 1}}}, {tell: {set: {got: '${ .kept }'}}}]"


def woken(what: Order, parked: Parked) -> Order:
    (sleep,) = parked.commands
    assert isinstance(sleep, Sleep)
    fired = Wake(key="t", event=TimerFired(command=sleep.id, at=sleep.until))
    return order(NAP, execution=what.execution, epoch=2, snapshot=parked.snapshot, wakes=(fired,))


@pytest.mark.parametrize("as_format", [1, 2])
def test_what_was_recorded_goes_on_to_its_outcome(execute: ExecuteProcess, as_format: int) -> None:
    name = "a-loop-that-waits-in-each-iteration"
    history = decode((FOLDER / f"format-{as_format}" / f"{name}.json").read_bytes(), History)
    execution = new_execution_id(Millis(int(time.time() * 1000)))
    old = encode(history.first).replace(b'"execution":"e"', f'"execution":"{execution}"'.encode())
    wakes = tuple(Wake(key=f"{number}", event=record.event) for number, record in enumerate(history.records))
    snapshot = Snapshot(state=msgspec.Raw(old), upto=0)
    response = execute.deliver(order(STORIES[name].body, execution=execution, epoch=2, snapshot=snapshot, wakes=wakes))
    assert isinstance(history.outcome, Completed)
    assert decode(response.content, Ended).output == history.outcome.output


def test_in_a_rollout_the_older_format_is_written_and_both_are_read(run_execute: Any) -> None:
    ahead, behind = run_execute(), run_execute(snapshot_format=1)
    for first, second, written in ((behind, ahead, None), (ahead, behind, 2)):
        what = order(NAP, {"n": 1})
        parked = decode(first.deliver(what).content, Parked)
        assert parse(parked.snapshot.state).get("format") == written
        assert decode(second.deliver(woken(what, parked)).content, Ended).output == {"got": {"n": 1}}


@pytest.mark.parametrize("settings", [ExecuteSettings, OrchestrateSettings])
def test_a_format_that_nobody_can_write_is_no_setting(settings: type[ExecuteSettings | OrchestrateSettings]) -> None:
    with pytest.raises(Misconfigured, match="LOWTIDE_SNAPSHOT_FORMAT='3': expected one of 1, 2"):
        settings.from_environment({"LOWTIDE_SNAPSHOT_FORMAT": "3"})
