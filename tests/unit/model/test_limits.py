"""Limits in a document's metadata: what is read, and every mistake with its place and its mend."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.dsl import check
from lowtide.model.limits import Concurrency, Debounce, Limits, Rate, read_limits, written_limits

WHOLE = {
    "concurrency": {"limit": 5, "key": "${ .customer }"},
    "rate": {"limit": 10, "period": {"minutes": 1}, "key": ".shop"},
    "debounce": {"period": "PT5S", "atMost": "PT1M"},
    "priority": "${ .urgent }",
    "queue": 0,
}


def test_decision_23_limits_are_declared_in_the_metadata_and_written_again() -> None:
    limits, mistakes = read_limits(WHOLE)
    assert not mistakes
    assert limits == Limits(
        concurrency=Concurrency(5, ".customer"),
        rate=Rate(10, 60_000, ".shop"),  # type: ignore[arg-type]
        debounce=Debounce(5_000, None, 60_000),  # type: ignore[arg-type]
        priority=".urgent",
        queue=0,
    )
    assert read_limits(written_limits(limits)) == (limits, [])


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        (5, ""),
        ({"concurency": {}}, "concurency"),
        ({"concurrency": {"limit": 0}}, "concurrency.limit"),
        ({"concurrency": {"limit": True}}, "concurrency.limit"),
        ({"concurrency": {"limit": 1, "key": 3}}, "concurrency.key"),
        ({"rate": {"limit": 1001, "period": "PT1S"}}, "rate.limit"),
        ({"rate": {"limit": 1, "period": "soon"}}, "rate.period"),
        ({"rate": {"limit": 1, "period": "PT0S"}}, "rate.period"),
        ({"debounce": {"period": "P31D"}}, "debounce.period"),
        ({"priority": 101}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"queue": -1}, "queue"),
    ],
)
def test_what_makes_no_sense_is_a_mistake_with_its_place(limits: Any, where: str) -> None:
    assert [".".join(mistake.path) for mistake in read_limits(limits)[1]] == [where]


HEAD = "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: {lowtide: {limits: %s}}\n"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{concurrency: {limit: 2, key: .a b}}", None),
        ("{concurrency: {limit: 2, key: '.a | nothing'}}", "nothing"),
        ("{rate: {limit: 2, period: PT1S, key: '$context.a'}}", "there is no $context here"),
        ("{priority: '${ .a[ }'}", "not closed"),
        ("{concurrency: {limit: 2, key: '${ .a }'}}", ""),
    ],
)
def test_expressions_are_checked_where_they_stand(limits: str, said: str | None) -> None:
    checked = check(HEAD % limits + "do:\n- done: {set: {a: 1}}\n", "w.yaml")
    found = [str(problem) for problem in checked.errors]
    assert (not found) == (said == ""), found
    assert all("w.yaml:6:" in text for text in found), found
    assert said is None or not found or said in found[0], found
