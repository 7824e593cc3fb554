"""In which order the files are run: those that wait for real processes lie between those that compute.

Several files are run at once. Were the waiting ones last, as xdist puts files of few tests, the processors would be
idle at the end; were they first, several platforms would start at once.
"""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path.as_posix(), []).append(item)
    waiting = [file for file in files.values() if file[0].get_closest_marker("platform")]
    computing = [file for file in files.values() if file[0].get_closest_marker("platform") is None]
    step = max(1, len(computing) * 2 // 3 // (len(waiting) or 1))
    order: list[pytest.Item] = []
    for place, file in enumerate(computing):
        if place % step == 0 and waiting:
            order += waiting.pop(0)
        order += file
    items[:] = [*order, *(item for file in waiting for item in file)]
