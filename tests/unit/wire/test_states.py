"""A state is written with every value once, and what was written in any format is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.inspect import AnyType, ListType, StructType, Type, UnionType, type_info

from lowtide.errors import InvalidInput, Unavailable
from lowtide.model.base import JSON, ExecutionId, Millis
from lowtide.model.command import RunChild
from lowtide.model.state import Frame, ListenBody, Sequence, State, TaskFrame
from lowtide.wire import json
from lowtide.wire.states import _SHAPES, read, write
from lowtide.wire.types import SNAPSHOT_FORMAT, SnapshotFormat
from tests.plays import NOW, Play, document

FORMATS: tuple[SnapshotFormat, ...] = (1, 2)
ROWS = [{"sku": f"A-{number}", "quantity": number, "price": number + 0.5} for number in range(2_000)]
LARGE = {"id": 1, "rows": ROWS}
SIZE = len(json.encode(LARGE))

each_format = pytest.mark.parametrize("written", FORMATS)


def waiting(body: str, given: JSON = None) -> State:
    made = Play(document(body)).begin(given)
    assert made.outcome is None
    return made.state


def frames(state: State) -> Iterator[TaskFrame]:
    frame = state.root.child if state.root else None
    while frame is not None:
        yield frame
        seq = getattr(frame.body, "seq", None)
        frame = seq.child if seq else None


# ---------------------------------------------------------------- every value once


@pytest.mark.parametrize(
    "body",
    [
        "do: [{nap: {wait: {hours: 1}}}]",
        "do: [{a: {do: [{b: {do: [{nap: {wait: {hours: 1}}}]}}]}}]",
        "do: [{all: {for: {in: .rows}, do: [{nap: {wait: {hours: 1}}}]}}]",
        "do: [{all: {for: {in: '[.rows[] | select(.quantity >= 0)]'}, do: [{nap: {wait: {hours: 1}}}]}}]",
        "do: [{keep: {set: {it: '${ . }'}, export: {as: '$context + {kept: .it}'}}}, {nap: {wait: {hours: 1}}}]",
        "do: [{one: {set: {mine: '${ .rows }'}}}, {nap: {wait: {hours: 1}}}]",
        "do: [{child: {run: {workflow: {namespace: t, name: o, version: '1.0.0', input: '${ . }'}}}}]",
        "do: [{l: {listen: {to: {one: {with: {type: t, data: '${ $context.id == .id }'}}}}}}]",
        "do: [{f: {fork: {branches: [{a: {wait: {hours: 1}}}, {b: {wait: {hours: 2}}}]}}}]",
    ],
)
def test_a_large_value_is_written_once_however_many_frames_hold_it(body: str) -> None:
    state = waiting(body, LARGE)
    assert len(write(state)) < SIZE + 1_500
    assert len(write(state, 1)) > 3 * SIZE
    assert read(write(state)) == state


def test_what_is_read_is_as_small_again_and_the_same_bytes() -> None:
    state = waiting("do: [{all: {for: {in: .rows}, do: [{nap: {wait: {hours: 1}}}]}}]", LARGE)
    again = read(write(state))
    assert write(again) == write(state)
    (outer, inner) = frames(again)
    assert outer.raw is outer.input is again.input is again.context
    assert inner.raw is inner.input


def test_what_an_older_format_repeated_is_written_once_from_then_on() -> None:
    state = waiting("do: [{nap: {wait: {hours: 1}}}]", LARGE)
    assert write(read(write(state, 1))) == write(state)


def test_a_small_state_grows_by_a_few_bytes_only() -> None:
    state = waiting("do: [{a: {set: {n: 1}}}, {nap: {wait: {hours: 1}}}]", {"n": 0})
    assert len(write(state)) <= len(write(state, 1)) + 40


def test_writing_leaves_the_state_as_it_was() -> None:
    state = waiting("do: [{all: {for: {in: .rows}, do: [{nap: {wait: {hours: 1}}}]}}]", LARGE)
    before = msgspec.json.encode(state)
    write(state)
    assert msgspec.json.encode(state) == before


def test_the_order_of_members_survives_when_one_of_them_is_a_value_of_its_own() -> None:
    given = {"z": 1, "rows": ROWS, "a": 2}
    again = read(write(waiting("do: [{one: {set: {mine: '${ .rows }'}}}, {nap: {wait: {hours: 1}}}]", given)))
    assert list(again.input) == ["z", "rows", "a"]


def test_a_list_that_a_frame_makes_longer_is_its_own() -> None:
    events = [{"type": "t"}]
    body = ListenBody(consumed=events, outputs=events)
    frame = TaskFrame(ref="/do/0/l", path="1", kind="listen", started=NOW, raw=events, body=body)
    state = State(execution=ExecutionId("e"), started=NOW, now=NOW, root=Sequence(child=frame))
    (again,) = frames(read(write(state)))
    assert isinstance(again.body, ListenBody)
    again.body.consumed.append("another")
    assert again.body.outputs == again.raw == events


# ---------------------------------------------------------------- nothing of a user's is a reference


@each_format
@pytest.mark.parametrize(
    "given",
    [
        *(0, 1, -1, True, False, "", [], {}, [0], [[0]], [None], "0", 1.0, 10**30, {"": {"": []}}),
        {"format": 2, "state": {"input": 0}, "values": [1], "parts": [[0, "a", 0]], "a": None},
        {"raw": 1, "input": 2, "items": [3]},
    ],
    ids=repr,
)
def test_data_that_looks_like_a_reference_is_data(given: JSON, written: SnapshotFormat) -> None:
    state = waiting("do: [{a: {do: [{nap: {wait: {hours: 1}}}]}}]", given)
    again = read(write(state, written))
    assert again == state
    assert json.encode(again.input) == json.encode(given), "1, 1.0 and true are told apart"


@each_format
def test_values_of_commands_come_back(written: SnapshotFormat) -> None:
    state = State(execution=ExecutionId("e"), started=Millis(1), now=Millis(1), input=LARGE)
    state.pending["c"] = RunChild(id="c", namespace="n", workflow="w", reference="/do/0/c", input=LARGE)
    state.pending["d"] = RunChild(id="d", namespace="n", workflow="w", reference="/do/1/d")
    assert read(write(state, written)) == state


def options(kind: Type) -> list[Type]:
    return list(kind.types) if isinstance(kind, UnionType) else [kind]


@pytest.mark.parametrize("kind", Frame.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_member_of_a_frame_is_known_for_what_it_is(kind: type[Frame]) -> None:
    """One that is added to a frame is to be added to the shapes; else it would be written each time, or not at all."""
    info = type_info(kind)
    values: list[str] = []
    lists: list[str] = []
    below: list[str] = []
    assert isinstance(info, StructType)
    for field in info.fields:
        for option in options(field.type):
            one = option.item_type if isinstance(option, ListType) else option
            if isinstance(one, AnyType):
                (lists if isinstance(option, ListType) else values).append(field.name)
            elif isinstance(one, StructType) and issubclass(one.cls, Frame) and field.name not in below:
                below.append(field.name)
    assert _SHAPES[kind] == (tuple(values), tuple(lists), tuple(below))


# ---------------------------------------------------------------- formats


def test_a_state_says_its_format_where_older_processes_look_for_it() -> None:
    state = waiting("do: [{nap: {wait: {hours: 1}}}]")
    assert json.parse(write(state))["format"] == SNAPSHOT_FORMAT == 2
    assert "format" not in json.parse(write(state, 1))


def test_a_newer_format_is_left_to_newer_processes_whatever_it_looks_like() -> None:
    for newer in ({"format": 3}, {"format": 3, "state": ["other"], "values": {}}, {"format": 99, "state": None}):
        with pytest.raises(Unavailable, match=f"format {newer['format']}"):
            read(json.encode(newer))


@pytest.mark.parametrize(
    "body",
    [
        *("", "nonsense", "[]", "{}", '{"format": 0}', '{"format": -1}', '{"format": "2"}', '{"format": 2}'),
        '{"execution": "e", "started": 1, "now": 1, "root": 5}',
        '{"execution": "e", "started": 1, "now": 1, "pending": {"c": {"do": "await"}}}',
        '{"execution": "e", "started": 1}',
        '{"format": 2, "state": {"execution": "e", "started": 1, "now": 1, "input": 0}}',
        '{"format": 2, "state": {"execution": "e", "started": 1, "now": 1, "input": "x"}, "values": [1]}',
        '{"format": 2, "state": {"execution": "e", "started": 1, "now": 1}, "values": [1], "parts": [[0, "a", 0]]}',
        '{"format": 2, "state": {"execution": "e", "started": 1, "now": 1, "input": [0]}, "values": [1]}',
    ],
)
def test_what_is_no_state_is_refused(body: str) -> None:
    with pytest.raises(InvalidInput):
        read(body.encode())


def test_members_that_nobody_knows_yet_do_not_matter() -> None:
    state = waiting("do: [{nap: {wait: {hours: 1}}}]", {"n": 1})
    for written in FORMATS:
        grown: Any = json.parse(write(state, written))
        (grown["state"] if written == 2 else grown)["future"] = {"input": 7}
        assert read(json.encode(grown)) == state
