"""A simulator for all files of a process: its server is the dearest part of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.running import Simulator, simulator


@pytest.fixture(scope="session")
def simulation() -> Iterator[Simulator]:
    with simulator() as made:
        yield made
