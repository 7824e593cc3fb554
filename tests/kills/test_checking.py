"""The checker finds what is planted for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kills.checking import Ended, Recorded, violations
from tests.kills.shop import Call

GOOD: dict[str, Any] = {
    "many": 1,
    "ended": [Ended("e", "completed", {"shipped": 0})],
    "journal": [Recorded("e", 1, 1, 100, "/do/0/reserve"), Recorded("e", 2, 1, 120, None)],
    "calls": [Call("e//do/0/reserve", 50), Call("e//do/0/reserve", 90)],
    "thaws": [],
}


def test_a_run_in_which_all_went_well_has_no_violations() -> None:
    assert violations(**GOOD) == []


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"ended": []}, "1 orders were lost: [0]"),
        ({"ended": GOOD["ended"] * 2}, "order 0 ended 2 times"),
        ({"ended": [*GOOD["ended"], Ended("f", "suspended", None)]}, "f is suspended"),
        ({"ended": [Ended("e", "completed", {"shipped": 0, "more": 1})]}, "e ended with"),
        ({"journal": GOOD["journal"][1:]}, "e: record 2 of epoch 1 follows 0 of 0"),
        ({"journal": [*GOOD["journal"], Recorded("e", 3, 1, 130, "/do/0/reserve")]}, "e: 2 results of /do/0/reserve"),
        ({"calls": [Call("e//do/0/reserve", 101)]}, "e//do/0/reserve was called 1 ms after its result"),
    ],
)
def test_each_promise_that_is_broken_is_told(what: dict[str, Any], told: str) -> None:
    assert any(found.startswith(told) for found in violations(**{**GOOD, **what}))


def test_what_a_frozen_owner_had_decided_to_send_is_no_violation() -> None:
    late = {"calls": [Call("e//do/0/reserve", 5_000)], "thaws": [4_900]}
    assert violations(**{**GOOD, **late}) == []
    assert violations(**{**GOOD, **late, "thaws": [1_000]}) != []
