"""What differs between two executions. Pure: the same two give nothing, and the other way round every sign turns.

Tasks are laid beside each other by their reference, else by their name in lists of the same names, else by a name that
only one task on either side has left: so versions of a workflow can be compared in which tasks were added or moved.

The paths diverge at the first place at which the two entered different tasks, or a task ended differently. A place is a
list and the number of the entry in it, with the iterations and attempts around it; where what differs is a composite,
what differs within it is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .happened import Entry, Runs

__all__ = ["Diverged", "Moved", "Outlines", "Reached", "Task", "align", "diverged", "outlines", "subtracted", "tasks"]

_INDEX: Final = re.compile(r"/[0-9]+/([^/]+)")
_BRANCHES: Final = "/fork/branches"
_NUMBERS: Final = ("runs", "retries", "duration_ms", "active_ms", "bytes_in", "bytes_out")
_OF_ERROR: Final = ("type", "status", "title", "detail")

Pair = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One task on both sides, ``None`` where it did not run. ``difference``: the second's numbers less the first's."""

    a: Runs | None
    b: Runs | None
    difference: dict[str, float]


@dataclass(frozen=True, slots=True)
class Reached:
    """What one side had at the place, and what it had entered before in the same list."""

    reference: str
    task: str
    status: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Diverged:
    """``None`` where that side entered nothing there."""

    a: Reached | None
    b: Reached | None


class Moved(NamedTuple):
    """A task, where it was and where it is, or what it was and what it is."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Outlines:
    """What differs between two versions: ``added`` are tasks of the second alone, ``removed`` of the first alone;
    ``moved`` to another list or past another task, ``changed`` in kind or in what they do."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    changed: list[Moved] = field(default_factory=list)


def subtracted(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """What ``b`` has more than ``a``, as far as it differs; what one of them lacks is 0."""
    names = {**a, **b}
    found = {name: b.get(name, 0) - a.get(name, 0) for name in names}
    return {name: value for name, value in found.items() if value}


# ---------------------------------------------------------------- tasks


def tasks(a: Sequence[Runs], b: Sequence[Runs]) -> list[Task]:
    """Those that differ in anything, in the order in which they were first entered."""
    left, right = ({one.reference: one for one in side} for side in (a, b))
    found = []
    for here, there in align(left, right):
        one, other = left.get(here or ""), right.get(there or "")
        numbers = [{name: getattr(side, name) if side else 0 for name in _NUMBERS} for side in (one, other)]
        difference = subtracted(*numbers)
        if difference or one is None or other is None or _fared(one) != _fared(other):
            found.append(Task(one, other, difference))
    return sorted(found, key=lambda task: _order(task.a, task.b))


def _order(*sides: Runs | None) -> tuple[int, list[str]]:
    there = [side for side in sides if side is not None]
    return min(side.first for side in there), sorted(side.reference for side in there)


def _fared(runs: Runs) -> tuple[Any, ...]:
    error = runs.error if isinstance(runs.error, dict) else {}
    return runs.status, runs.statuses, [error.get(name) for name in _OF_ERROR]


def align(a: Iterable[str], b: Iterable[str]) -> list[Pair]:
    """References of two sides in pairs; those without a counterpart have ``None`` beside them."""
    left, right = sorted(set(a)), sorted(set(b))
    pairs: list[Pair] = []

    def match(key: Callable[[str], str], *, alone: bool) -> None:
        """Pairs what has the same key: the first with the first, or, ``alone``, where nothing else has it."""
        ours, theirs = _by(left, key), _by(right, key)
        for name in ours.keys() & theirs.keys():
            if alone and not len(ours[name]) == len(theirs[name]) == 1:
                continue
            for one, other in zip(ours[name], theirs[name], strict=False):
                pairs.append((one, other))
                left.remove(one)
                right.remove(other)

    match(lambda reference: reference, alone=False)
    match(names_of, alone=False)
    match(lambda reference: reference.rpartition("/")[2], alone=True)
    return [*pairs, *((one, None) for one in left), *((None, other) for other in right)]


def names_of(reference: str) -> str:
    """A reference without the places of tasks in their lists, which an insertion shifts."""
    return _INDEX.sub(r"/\1", reference)


def _by(references: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for reference in references:
        found.setdefault(key(reference), []).append(reference)
    return found


# ---------------------------------------------------------------- paths


class _Place(NamedTuple):
    around: str
    path: str


def diverged(a: Sequence[Entry], b: Sequence[Entry]) -> Diverged | None:
    """Where the two went different ways first; ``None`` where they did not."""
    left, right = _placed(a), _placed(b)
    ranks: dict[_Place, int] = {}
    for place, (rank, _) in (*left.items(), *right.items()):
        ranks[place] = min(ranks.get(place, rank), rank)
    candidates = [
        place
        for place in sorted(ranks, key=lambda place: (ranks[place], place))
        if _differ(left.get(place), right.get(place))
    ]
    if not candidates:
        return None
    place = _innermost(candidates, left, right)
    return Diverged(_reached(place, left), _reached(place, right))


_Placed = dict[_Place, tuple[int, Entry]]


def _placed(entries: Sequence[Entry]) -> _Placed:
    """Each place with the number of its entry. Branches of a fork all have the same number in their list, and names."""
    found: _Placed = {}
    for rank, entry in enumerate(entries):
        path = entry.task.rpartition("@")[2]
        around = names_of(entry.reference.rsplit("/", 2)[0])
        if around.endswith(_BRANCHES):
            around = names_of(entry.reference)
        found.setdefault(_Place(around, path), (rank, entry))
    return found


def _differ(one: tuple[int, Entry] | None, other: tuple[int, Entry] | None) -> bool:
    if one is None or other is None:
        return True
    return names_of(one[1].reference) != names_of(other[1].reference) or one[1].status != other[1].status


def _innermost(candidates: list[_Place], left: _Placed, right: _Placed) -> _Place:
    """Down from a composite that both entered to what differs within it."""
    place = candidates[0]
    while place in left and place in right:
        around = names_of(left[place][1].reference)
        if around != names_of(right[place][1].reference):
            break
        within = [one for one in candidates if one.around.startswith(f"{around}/") and _is_below(one.path, place.path)]
        if not within:
            break
        place = within[0]
    return place


def _is_below(path: str, above: str) -> bool:
    return path.startswith(f"{above}.")


def _reached(place: _Place, side: _Placed) -> Reached | None:
    if place not in side:
        return None
    entry = side[place][1]
    before = side.get(_Place(place.around, _before(place.path)))
    return Reached(entry.reference, entry.task, entry.status, before[1].reference if before else None)


def _before(path: str) -> str:
    around, dot, number = path.rpartition(".")
    return f"{around}{dot}{int(number) - 1}" if number.isdecimal() else ""


# ---------------------------------------------------------------- versions


def outlines(a: Mapping[str, Any], b: Mapping[str, Any]) -> Outlines:
    """What differs between the definitions that two versions have."""
    left, right = _defined(a), _defined(b)
    pairs = align(left, right)
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    return Outlines(
        added=sorted(other for one, other in pairs if one is None and other is not None),
        removed=sorted(one for one, other in pairs if other is None and one is not None),
        moved=sorted(Moved(*pair) for pair in _moved(both)),
        changed=sorted(
            Moved(one, other)
            for one, other in both
            if any(left[one][name] != right[other][name] for name in ("kind", "detail"))
        ),
    )


def _defined(outline: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {node["reference"]: node for node in outline["nodes"] if node["kind"] not in ("start", "end", "group")}


def _moved(both: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those in lists of other names, and those that stand elsewhere among the tasks that both lists have."""
    stays: dict[Pair, list[tuple[str, str]]] = {}
    moved = []
    for one, other in both:
        lists = _list(one), _list(other)
        if names_of(lists[0]) == names_of(lists[1]):
            stays.setdefault(lists, []).append((one, other))
        else:
            moved.append((one, other))
    for siblings in stays.values():
        by_first = sorted(siblings, key=lambda pair: _index(pair[0]))
        by_second = sorted(siblings, key=lambda pair: _index(pair[1]))
        moved += [pair for pair, other in zip(by_first, by_second, strict=True) if pair != other]
    return moved


def _list(reference: str) -> str:
    return reference.rsplit("/", 2)[0]


def _index(reference: str) -> tuple[int, str]:
    index = reference.rsplit("/", 2)[-2]
    return (int(index) if index.isdecimal() else 0), reference
