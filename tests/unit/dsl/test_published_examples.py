"""The documents that the standard's authors published are all valid here."""

from pathlib import Path

import pytest

from lowtide.dsl import check
from lowtide.dsl.draw import graph, mermaid
from lowtide.model.plan import Plan
from lowtide.wire import json

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "spec" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml")) if FOLDER.is_dir() else []

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the specification's examples are not beside this checkout")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_published_example_is_valid_and_its_plan_survives_the_wire(path: Path) -> None:
    checked = check(path.read_bytes(), path.name)
    assert checked.errors == ()
    assert checked.plan is not None
    assert json.decode(json.encode(checked.plan), Plan) == checked.plan


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_published_example_can_be_drawn(path: Path) -> None:
    plan = check(path.read_bytes(), path.name).plan
    assert plan is not None
    ids = {node["id"] for node in graph(plan)["nodes"]}
    assert all(edge["from"] in ids and edge["to"] in ids for edge in graph(plan)["edges"])
    assert mermaid(plan).startswith("flowchart TD\n")


def test_all_of_them_are_here() -> None:
    assert len(EXAMPLES) == 68
