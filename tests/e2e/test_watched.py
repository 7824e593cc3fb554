"""What Lowtide tells of itself, as who operates it sees it: real processes, and one execution that parks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.databases import database
from tests.e2e.installation import Installation, installation
from tests.ingests import make_stores
from tests.peers import Peer, peer

_DOCS = Path(__file__).parents[2] / "docs" / "observability.md"

PARKING = """
document: {{dsl: '1.0.3', namespace: tests, name: parking, version: '1.0.0'}}
do:
  - ask: {{call: http, with: {{method: get, endpoint: '{url}/first'}}}}
  - rest: {{wait: {{milliseconds: 200}}}}
  - again: {{call: http, with: {{method: get, endpoint: '{url}/second'}}}}
  - done: {{set: {{well: true}}}}
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Peer]:
    with peer(lambda request: (200, {"path": request.path})) as made:
        yield made


@pytest.fixture(scope="module")
def watched(
    postgres: str, migrated_store: str, shop: Peer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with database(postgres, like=migrated_store) as control, make_stores(postgres) as stores:
        with installation(control, stores, tmp_path_factory.mktemp("watched")) as made:
            made.deploy(PARKING.format(url=shop.url))
            yield made


@pytest.fixture(scope="module")
def parked(watched: Installation) -> str:
    """An execution that parked once and has completed."""
    execution = watched.start("parking", {})
    assert watched.ended(execution)["phase"] == "completed"
    return execution


def families(watched: Installation, name: str) -> dict[str, Any]:
    answer = httpx.get(f"http://127.0.0.1:{watched.metrics[name]}/metrics", timeout=10)
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_every_measure_is_documented_and_every_documented_one_is_there(watched: Installation, parked: str) -> None:
    """Of each deployable, by the table of its part."""
    exposed = {
        part: {name for name in families(watched, part) if name.startswith("lowtide_")} for part in watched.metrics
    }
    for part, names in exposed.items():
        assert names <= documented("All four") | documented(part), part
        assert documented(part) <= names, part
    assert documented("All four") == set().union(*exposed.values()) & documented("All four")


def documented(part: str) -> set[str]:
    """Names of the families in one table of the page."""
    section = _DOCS.read_text().partition(f"### {part}\n")[2].partition("\n#")[0]
    found = re.findall(r"^\| `(lowtide_\w+)` \|", section, re.MULTILINE)
    assert found, part
    return {name.removesuffix("_total") for name in found}
