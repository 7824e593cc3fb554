"""Comparing two executions: nothing differs from itself, and the other way round every sign turns."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_api.difference import Diverged, align, diverged, names_of, outlines, subtracted, tasks
from analytics_api.happened import Entry, Runs

_NAMES = st.sampled_from(["a", "b", "c", "pay/now"])
_STATUS = st.sampled_from(["completed", "faulted", "running"])


@st.composite
def _references(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_NAMES).replace("/", "~1")
    inner = f"/do/{draw(st.integers(0, 3))}/{name}"
    return inner + draw(_references(depth + 1)) if depth < 2 and draw(st.booleans()) else inner


@st.composite
def _runs(draw: st.DrawFn) -> list[Runs]:
    found = draw(st.lists(_references(), unique=True, max_size=6))
    return [
        Runs(
            reference=reference,
            name=reference.rpartition("/")[2],
            kind="call",
            runs=draw(st.integers(1, 3)),
            first=first,
            status=draw(_STATUS),
            error=draw(st.sampled_from([None, {"type": "t", "status": 500}, {"type": "t", "status": 503}, "odd"])),
            duration_ms=draw(st.floats(0, 1e6)),
            bytes_in=draw(st.integers(0, 9)),
        )
        for first, reference in enumerate(found)
    ]


@st.composite
def _entries(draw: st.DrawFn) -> list[Entry]:
    """Entries as an engine makes them: each list is entered from its first number on."""
    found: list[Entry] = []

    def enter(around: str, path: str, depth: int) -> None:
        for number in range(1, draw(st.integers(0, 3)) + 1):
            reference = f"{around}/{draw(st.integers(0, 3))}/{draw(st.sampled_from('abc'))}"
            found.append(Entry(reference, f"{reference}@{path}{number}", draw(_STATUS)))
            if depth < 2 and draw(st.booleans()):
                enter(f"{reference}/do", f"{path}{number}.", depth + 1)

    enter("/do", "1.", 0)
    return found


@settings(max_examples=40)
@given(_runs(), _runs())
def test_tasks_differ_from_themselves_in_nothing_and_turn_their_signs(a: list[Runs], b: list[Runs]) -> None:
    assert tasks(a, a) == []
    there, back = tasks(a, b), tasks(b, a)
    turned = [(task.b, task.a, {name: -value for name, value in task.difference.items()}) for task in back]

    def references(found: tuple[Any, ...]) -> list[str]:
        return sorted(side.reference for side in found[:2] if side is not None)

    straight = [(task.a, task.b, task.difference) for task in there]
    assert sorted(turned, key=references) == sorted(straight, key=references)


@settings(max_examples=40)
@given(st.sets(_references()), st.sets(_references()))
def test_every_reference_is_in_one_pair(a: set[str], b: set[str]) -> None:
    pairs = align(a, b)
    assert sorted(one for one, _ in pairs if one is not None) == sorted(a)
    assert sorted(other for _, other in pairs if other is not None) == sorted(b)
    assert {(other, one) for one, other in pairs} == set(align(b, a))
    assert all(one == other for one, other in align(a, a))


@settings(max_examples=40)
@given(_entries(), _entries())
def test_paths_part_at_the_same_place_from_both_sides_and_never_from_themselves(a: list[Entry], b: list[Entry]) -> None:
    assert diverged(a, a) is None
    there, back = diverged(a, b), diverged(b, a)
    assert there == (None if back is None else Diverged(back.b, back.a))
    same = [(names_of(one.reference), one.task.rpartition("@")[2], one.status) for one in a]
    other = [(names_of(one.reference), one.task.rpartition("@")[2], one.status) for one in b]
    assert (there is None) == (sorted(same) == sorted(other))


@settings(max_examples=40)
@given(st.dictionaries(_NAMES, st.integers(-5, 5)), st.dictionaries(_NAMES, st.integers(-5, 5)))
def test_quantities_are_subtracted_up_to_sign(a: dict[str, int], b: dict[str, int]) -> None:
    assert subtracted(a, a) == {}
    assert subtracted(a, b) == {name: -value for name, value in subtracted(b, a).items()}


@settings(max_examples=40)
@given(st.lists(_references(), unique=True), st.lists(_references(), unique=True))
def test_versions_are_compared_up_to_sign(a: list[str], b: list[str]) -> None:
    def outline(references: list[str]) -> dict[str, Any]:
        nodes = [{"reference": one, "kind": "call", "detail": str(len(one))} for one in references]
        return {"nodes": nodes, "edges": []}

    there, back = outlines(outline(a), outline(b)), outlines(outline(b), outline(a))
    assert (there.added, there.removed) == (back.removed, back.added)
    assert sorted((pair.b, pair.a) for pair in back.moved) == sorted(map(tuple, there.moved))
    assert sorted((pair.b, pair.a) for pair in back.changed) == sorted(map(tuple, there.changed))
    same = outlines(outline(a), outline(a))
    assert (same.added, same.removed, same.moved, same.changed) == ([], [], [], [])


def test_an_inserted_task_moves_none_of_those_that_follow_it() -> None:
    def outline(*names: str) -> dict[str, Any]:
        nodes = [{"reference": f"/do/{index}/{name}", "kind": "set", "detail": ""} for index, name in enumerate(names)]
        return {"nodes": nodes, "edges": []}

    found = outlines(outline("a", "b", "c"), outline("a", "new", "b", "c"))
    assert (found.added, found.removed, found.moved) == (["/do/1/new"], [], [])
    swapped = outlines(outline("a", "b"), outline("b", "a"))
    assert swapped.moved == [("/do/0/a", "/do/1/a"), ("/do/1/b", "/do/0/b")]


def test_what_differs_within_a_composite_is_named_and_not_the_composite() -> None:
    def run(inner: str, end: str) -> list[Entry]:
        around = Entry("/do/0/try", "/do/0/try@1.1", end)
        return [around, Entry(f"/do/0/try/try/0/{inner}", f"/do/0/try/try/0/{inner}@1.1.1.1", end)]

    found = diverged(run("pay", "completed"), run("pay", "faulted"))
    assert found is not None
    assert found.a is not None
    assert (found.a.reference, found.a.status) == ("/do/0/try/try/0/pay", "completed")
