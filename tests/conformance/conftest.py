"""One internet and one expression host for all scenarios; a world of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.world import World
from tests.standins.httpbin import httpbin
from tests.standins.internet import Internet
from tests.standins.petstore import petstore


@pytest.fixture(scope="session")
def internet() -> Iterator[Internet]:
    made = Internet()
    yield made
    made.close()


@pytest.fixture
def world(internet: Internet, request: pytest.FixtureRequest) -> Iterator[World]:
    internet.forget()
    internet.sites |= {"petstore.swagger.io": petstore, "httpbin.org": httpbin}
    # Only while a scenario runs: other tests of this process have names of their own to resolve.
    with internet.reachable():
        made = World(internet, lambda: str(request.getfixturevalue("control_store")))
        yield made
        made.close()
