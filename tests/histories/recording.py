"""Recorded histories: a plan, a seed, the journal, and the snapshot after each of its records.

    python -m tests.histories.recording     writes those that are missing for the present snapshot format

A recorded file is never written again: executions that an older version parked must go on under every later one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lowtide.engine import Turn
from lowtide.expressions import JqHost
from lowtide.model.base import JSON, Noun
from lowtide.model.command import Await, Perform
from lowtide.model.error import standard_error
from lowtide.model.event import Event
from lowtide.model.plan import Plan
from lowtide.model.state import Outcome, Seed
from lowtide.wire import json
from lowtide.wire.states import write
from lowtide.wire.types import SNAPSHOT_FORMAT
from tests.histories.documents import STORIES, Story
from tests.plays import NOW, Play, document

__all__ = ["FOLDER", "History", "Recorded", "files", "record"]

FOLDER: Final = Path(__file__).parent


class Recorded(Noun, frozen=True):
    """One record of the journal, the turn at which it was fed, and the snapshot that followed, as JSON."""

    turn: int
    event: Event
    snapshot: JSON


class History(Noun, frozen=True):
    plan: Plan
    seed: Seed
    first: JSON
    records: tuple[Recorded, ...]
    outcome: Outcome


def files() -> list[Path]:
    return sorted(FOLDER.glob("format-*/*.json"))


def record(story: Story) -> History:
    """Play a story to its outcome."""
    play = Play(document(story.body), host=JqHost(), answer=_answers(story))
    play.begin(story.input)
    first, snapshots, events = _snapshot(play.turn), [], list(story.events)
    if story.expire:
        play.expire()
        snapshots.append(_snapshot(play.turn))
    while play.outcome is None:
        answerable = play.answerable()
        if answerable:
            play.respond(answerable[0])
        else:
            place, event = events.pop(0)
            assert play.wanted(Await), "nothing is left that could go on"
            play.receive(event, place)
        snapshots.append(_snapshot(play.turn))
    records = [Recorded(turn, event, shot) for (turn, event), shot in zip(play.entries, snapshots, strict=True)]
    seed = Seed(execution=play.state.execution, input=story.input, at=NOW, random=0.25)
    return History(play.plan, seed, first, tuple(records), play.outcome)


def _answers(story: Story) -> Callable[[Perform], Any]:
    left, batches = story.failures, list(story.batches)

    def answer(command: Perform) -> Any:
        nonlocal left
        if left > 0:
            left -= 1
            return standard_error("communication", "the line is down")
        if command.call == "asyncapi":
            return {"messages": list(batches.pop(0))} if batches else None
        return command.arguments

    return answer


def _snapshot(turn: Turn) -> JSON:
    return json.parse(write(turn.state))


def main() -> None:
    folder = FOLDER / f"format-{SNAPSHOT_FORMAT}"
    folder.mkdir(exist_ok=True)
    for name, story in STORIES.items():
        path = folder / f"{name}.json"
        if not path.exists():
            path.write_bytes(json.encode(record(story)) + b"\n")
            print(f"recorded {path.relative_to(FOLDER)}")


if __name__ == "__main__":
    main()
