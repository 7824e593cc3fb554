"""A simulator per file: its server is the dearest part of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.running import Simulator, simulator


@pytest.fixture(scope="module")
def simulation() -> Iterator[Simulator]:
    with simulator() as made:
        yield made
