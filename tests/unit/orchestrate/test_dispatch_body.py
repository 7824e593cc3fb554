"""A dispatch is put together from stored JSON; execute reads it as the noun."""

from __future__ import annotations

from datetime import UTC, datetime

from functions.orchestrate.dispatching import body_of
from functions.orchestrate.nouns import Execution
from functions.orchestrate.store.keys import fingerprint, hashed, short
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import TimerFired
from lowtide.model.plan import Literal_, Plan, Set
from lowtide.model.state import Seed, State
from lowtide.wire import json, states
from lowtide.wire.types import Dispatch, Wake

NAME = ExecutionId("0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f")
PLAN = Plan(
    dsl="1.0.3",
    namespace="n",
    name="w",
    version="1.0.0",
    do=(Set(name="a", pointer="/do/0/a", value=Literal_({"z": 1, "a": 1.0})),),
    definition={"document": {"name": "w"}},
)
SEED = Seed(execution=NAME, input={"z": 10**30, "a": 1.0}, at=Millis(5), random=0.25)


def execution(state: State | None) -> Execution:
    return Execution(
        id=NAME,
        namespace="n",
        workflow="w",
        version="1.0.0",
        workflow_version=1,
        phase="waiting",
        epoch=1,
        change=1,
        seed=json.encode(SEED),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        state=states.write(state) if state else None,
        upto=7,
    )


def test_the_first_dispatch_carries_the_seed() -> None:
    body = body_of(execution(None), 1, json.encode(PLAN), (), Millis(9), 240.0, 5.0)
    assert json.decode(body, Dispatch) == Dispatch(
        execution=NAME, namespace="n", workflow="w", version="1.0.0", epoch=1, at=Millis(9), plan=PLAN, seed=SEED
    )


def test_later_ones_carry_the_snapshot_and_the_wakes() -> None:
    state = State(execution=NAME, started=Millis(5), now=Millis(6), input={"z": 1})
    wakes = (Wake(key="timer:x", event=TimerFired(at=Millis(8), command="x")),)
    read = json.decode(body_of(execution(state), 2, json.encode(PLAN), wakes, Millis(9), 100.0, 1.5), Dispatch)
    assert read.snapshot is not None
    assert (states.read(read.snapshot.state), read.snapshot.upto) == (state, 7)
    assert (read.seed, read.wakes, read.epoch, read.budget, read.short_wait) == (None, wakes, 2, 100_000, 1500)


def test_the_same_dispatch_is_the_same_bytes() -> None:
    bodies = {body_of(execution(None), 1, json.encode(PLAN), (), Millis(9), 240.0, 5.0) for _ in range(3)}
    assert len(bodies) == 1


def test_keys_tell_their_parts_apart() -> None:
    assert hashed("a", "bc") != hashed("ab", "c")
    assert hashed(None, "a") != hashed("", "a")
    assert fingerprint(None, "/s", "1") != fingerprint("ns", "/s", "1")
    assert short("x" * 10) == "x" * 10
    assert len(short("x" * 5000)) == 64
