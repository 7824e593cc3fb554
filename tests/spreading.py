"""In which order the files are run: those that take long lie between the others, each kind by itself spread out.

Several files are run at once. Were those last that wait for real processes, as xdist puts files of few tests, the
processors would be idle at the end; were they first, several platforms would start at once. A share of the simulator's
seeds computes for a minute: as the last file it would keep one processor alone.
"""

from __future__ import annotations

import pytest

_LONG = ("platform", "seeds")

_File = list[pytest.Item]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files: dict[str, _File] = {}
    for item in items:
        files.setdefault(item.path.as_posix(), []).append(item)
    kinds: dict[str | None, list[_File]] = {}
    for file in files.values():
        kinds.setdefault(next((mark for mark in _LONG if file[0].get_closest_marker(mark)), None), []).append(file)
    short = kinds.pop(None, [])
    long = _spread(list(kinds.values()))
    step = max(1, len(short) * 2 // 3 // (len(long) or 1))
    order: list[pytest.Item] = []
    for place, file in enumerate(short):
        if place % step == 0 and long:
            order += long.pop(0)
        order += file
    items[:] = [*order, *(item for file in long for item in file)]


def _spread(kinds: list[list[_File]]) -> list[_File]:
    """All of them, those of each kind as far from each other as they can be."""
    places = [((place + 0.5) / len(files), file) for files in kinds for place, file in enumerate(files)]
    return [file for _, file in sorted(places, key=lambda one: one[0])]
