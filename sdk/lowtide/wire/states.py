"""A state as it is written, for the wire and for the stores: the formats of snapshots (docs/decisions/0024).

*Format 1* is the JSON of the frames as they are; it does not say its number.

*Format 2* has every JSON value once, however many frames hold it:

    {"format": 2, "state": {…}, "values": [{"n": 1, "rows": null}, […]], "parts": [[0, "rows", 1]]}

Where a frame has a JSON value, ``state`` always has its number in ``values``; where it has a list of them, a list with
the list's number. ``parts`` says what stands inside of a value: value 0 has value 1 as its ``rows``. So a frame's class
alone says what is a number, and nothing that a user wrote is ever taken for a reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from lowtide.engine.frames import copy_state
from lowtide.errors import InvalidInput, Unavailable
from lowtide.model.base import JSON, Noun
from lowtide.model.command import Ask, Await, AwaitFilter, Command, HumanTask, Perform, RunChild
from lowtide.model.state import (
    Branch,
    CallBody,
    DoBody,
    Extended,
    ForBody,
    ForkBody,
    Frame,
    FunctionBody,
    ListenBody,
    Sequence,
    State,
    SubscriptionBody,
    TaskFrame,
    TryBody,
    WaitBody,
)
from lowtide.wire import json
from lowtide.wire.types import SNAPSHOT_FORMAT, Snapshot, SnapshotFormat

__all__ = ["read", "snapshot_of", "write"]

_PART: Final = 512
"""Bytes of JSON from which on what is inside a value may become a value of its own."""
_KEY: Final = 32
"""Characters that its key may have: naming it must not cost more than it saves."""
_MEMBER: Final = 64
"""Bytes that the members of an object must have on average, for looking at each of them to be worth the time."""

Replace: TypeAlias = Callable[[Any], Any]


class _Dated(Noun, frozen=True):
    """The one member that every version can read of every format."""

    format: int = 1


class _State(Noun, frozen=True, kw_only=True):
    """A state in the newest format; ``parts`` are (value, key or index in it, value)."""

    format: int = 1
    state: State | None = None
    values: list[JSON] = []
    parts: list[tuple[int, int | str, int]] = []


def write(state: State, as_format: SnapshotFormat = SNAPSHOT_FORMAT) -> bytes:
    """The state as JSON; equal states give equal bytes."""
    return json.encode(state) if as_format == 1 else _packed(state)


def snapshot_of(state: State, upto: int, as_format: SnapshotFormat = SNAPSHOT_FORMAT) -> Snapshot:
    return Snapshot(state=msgspec.Raw(write(state, as_format)), upto=upto)


def read(body: bytes) -> State:
    """The state that was written, in whichever format.

    Raises :class:`lowtide.errors.Unavailable` for a newer one, which is left to newer processes and delivered again,
    and :class:`lowtide.errors.InvalidInput` for what is no state.
    """
    try:
        written = json.decode(body, _State)
    except InvalidInput:
        _check(body)
        raise
    if written.format != SNAPSHOT_FORMAT:
        _check(body)
        written = _upcast(body)
    return _unpacked(written)


def _check(body: bytes) -> None:
    found = json.decode(body, _Dated).format
    if found > SNAPSHOT_FORMAT:
        raise Unavailable(f"the snapshot has format {found}, this process reads formats up to {SNAPSHOT_FORMAT}")


def _upcast(body: bytes) -> _State:
    from lowtide.wire.upcasting import upcast  # not where nothing is old

    document = upcast(json.parse(body), SNAPSHOT_FORMAT)
    try:
        return msgspec.convert(document, _State)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this is not a state: {error}") from error


# ---------------------------------------------------------------- format 2


def _packed(state: State) -> bytes:
    table, state = _Table(), copy_state(state)
    _replace(state, table.number, lambda values: [table.number(values)])
    table.share_parts()
    bodies: list[JSON] = [msgspec.Raw(body) for body in table.bodies]
    return json.encode(_State(format=2, state=state, values=bodies, parts=table.parts))


def _unpacked(written: _State) -> State:
    state, values = written.state, written.values
    if state is None:
        raise InvalidInput("this is not a state: it has no `state`")
    try:
        for whole, key, part in written.parts:
            values[whole][key] = values[part]
        # A list of a frame is the frame's own, which the engine makes longer; what is in it is shared.
        _replace(state, values.__getitem__, lambda numbers: list(values[numbers[0]]))
    except (IndexError, KeyError, TypeError) as error:
        raise InvalidInput(f"this state refers to a value that it does not have: {error}") from error
    return state


class _Table:
    """The values of one state. Those whose JSON is the same are one, also where they came about apart."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.parts: list[tuple[int, int | str, int]] = []
        self._values: list[JSON] = []
        self._numbers: dict[bytes, int] = {}
        self._known: dict[int, tuple[int, JSON]] = {}
        """By identity; with the value, which so keeps its identity for itself."""

    def number(self, value: JSON) -> int:
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = self._enter(value, json.encode(value)), value
        return known[0]

    def _enter(self, value: JSON, body: bytes) -> int:
        number = self._numbers.setdefault(body, len(self.bodies))
        if number == len(self.bodies):
            self.bodies.append(body)
            self._values.append(value)
        return number

    def share_parts(self) -> None:
        """Parts of values that are values as well, or parts of several, become values of their own; one level deep,
        which is where ``export`` and ``set`` put what they keep, and where a loop finds its collection."""
        large = [number for number, body in enumerate(self.bodies) if len(body) >= _PART]
        if len(large) < 2:
            return
        places: dict[bytes, list[tuple[int, int | str, JSON]]] = {}
        bodies: dict[int, bytes] = {id(self._values[number]): self.bodies[number] for number in large}
        for number in large:
            for key, part in _parts(self._values[number], len(self.bodies[number])):
                body = bodies.get(id(part))
                if body is None:
                    body = bodies[id(part)] = json.encode(part)
                if len(body) >= _PART:
                    places.setdefault(body, []).append((number, key, part))
        rest: dict[int, Any] = {}
        for body, found in places.items():
            if len(found) > 1 or body in self._numbers:
                shared = self._enter(found[0][2], body)
                for number, key, _ in found:
                    self.parts.append((number, key, shared))
                    rest.setdefault(number, copy(self._values[number]))[key] = None
        for number, value in rest.items():
            self.bodies[number] = json.encode(value)


def _parts(value: JSON, size: int) -> Iterable[tuple[int | str, JSON]]:
    """What is inside a value and may be large."""
    if type(value) is dict and size >= _MEMBER * len(value):
        return [(key, part) for key, part in value.items() if len(key) <= _KEY and _may_be_large(part)]
    if type(value) is list and size >= _PART * len(value):
        return [(index, part) for index, part in enumerate(value) if _may_be_large(part)]
    return ()


def _may_be_large(part: JSON) -> bool:
    kind = type(part)
    return kind is dict or kind is list or (kind is str and len(part) >= _PART)


# ---------------------------------------------------------------- where the values are


class _Shape(NamedTuple):
    """The members of a frame that are values, lists of values, and other parts of the tree."""

    values: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


_SHAPES: Final[dict[type[Frame], _Shape]] = {
    State: _Shape(values=("input", "context"), below=("root",)),
    Sequence: _Shape(values=("data",), below=("child",)),
    TaskFrame: _Shape(values=("raw", "input"), below=("body", "extended")),
    Extended: _Shape(values=("output", "authorization"), below=("seq",)),
    Branch: _Shape(values=("context", "output"), below=("frame",)),
    CallBody: _Shape(),
    WaitBody: _Shape(),
    FunctionBody: _Shape(below=("child",)),
    DoBody: _Shape(below=("seq",)),
    ForBody: _Shape(values=("data",), lists=("items",), below=("seq",)),
    ForkBody: _Shape(below=("branches",)),
    TryBody: _Shape(below=("seq",)),
    ListenBody: _Shape(lists=("consumed", "outputs"), below=("seq",)),
    SubscriptionBody: _Shape(values=("cursor",), lists=("messages", "outputs"), below=("seq",)),
}


def _replace(state: State, of_value: Replace, of_list: Replace) -> None:
    """Put something else in the place of each value, and of each list of values that is not empty.

    Correlation keys, amendments and the outcome stay as they are: each of them is there once.
    """
    nodes: list[Any] = [state]
    while nodes:
        node = nodes.pop()
        shape = _SHAPES[type(node)]
        for name in shape.values:
            value = getattr(node, name)
            if value is not None:
                setattr(node, name, of_value(value))
        for name in shape.lists:
            value = getattr(node, name)
            if value:
                setattr(node, name, of_list(value))
        for name in shape.below:
            inner = getattr(node, name)
            if type(inner) is list:
                nodes += inner
            elif inner is not None:
                nodes.append(inner)
    for name, command in state.pending.items():
        state.pending[name] = _replaced(command, of_value)


def _replaced(command: Command, of_value: Replace) -> Command:
    """The command with something else in the place of the values that it hands on."""
    match command:
        case Perform(arguments=value) if value is not None:
            return msgspec.structs.replace(command, arguments=of_value(value))
        case RunChild(input=value) if value is not None:
            return msgspec.structs.replace(command, input=of_value(value))
        case Await(filters=filters) if any(one.variables for one in filters):
            return msgspec.structs.replace(command, filters=tuple(_heard(one, of_value) for one in filters))
        case Await(ask=Ask(task=HumanTask(data=value) as task) as ask) if value is not None:
            task = msgspec.structs.replace(task, data=of_value(value))
            return msgspec.structs.replace(command, ask=msgspec.structs.replace(ask, task=task))
        case _:
            return command


def _heard(one: AwaitFilter, of_value: Replace) -> AwaitFilter:
    variables = {name: None if value is None else of_value(value) for name, value in one.variables.items()}
    return msgspec.structs.replace(one, variables=variables)
