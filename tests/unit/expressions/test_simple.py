"""What is evaluated without jq gives exactly what jq gives: the same values, types, digits and order of keys."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lowtide.engine.host import ExpressionFailed
from lowtide.expressions.program import Programs, prepare
from lowtide.expressions.simple import Exactness, Unsure, simple
from lowtide.model.base import Millis

PROGRAMS = Programs()
NAMES = ["a", "b", "and", "not", "length", "null", "é"]

# ---------------------------------------------------------------- programs at random

_constants = st.sampled_from(
    [
        "null",
        "true",
        "false",
        "0",
        "1",
        "2",
        "1.5",
        "1.0",
        "9007199254740993",
        "999999999999999",
        '"a"',
        '""',
        '"é"',
        "-1",
    ]
)
_names = st.sampled_from(NAMES[:-1])
_leaves = st.one_of(
    st.just("."),
    _constants,
    _names.map(lambda name: f".{name}"),
    st.sampled_from(
        ["$x", "$y", "$x.a", "$missing", ".[0]", ".[1]", '.["é"]', "not", "length", "[]", "{}", "..", "empty"]
    ),
)
_operators = st.sampled_from(
    ["+", "-", "*", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//", "|", "?//", ",", "/", "%", "as $x |", "="]
)


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spaces = st.sampled_from(["", " ", "\n "])
    return st.one_of(
        st.tuples(inner, spaces, _operators, spaces, inner).map(
            lambda made: f"{made[0]} {made[2]}{made[3]} {made[4]}" if made[2][0].isalpha() else "".join(made)
        ),
        inner.map(lambda program: f"({program})"),
        st.tuples(inner, _names).map(lambda made: f"{made[0]}.{made[1]}"),
        st.tuples(inner, st.sampled_from(["[0]", '["a"]', "?", "[]", "[-1]", "[1.5]", "[.a]", '."a"'])).map("".join),
        st.lists(inner, max_size=2).map(lambda parts: f"[{','.join(parts)}]"),
        st.lists(st.tuples(_names, inner), max_size=2).map(
            lambda members: "{" + ", ".join(f"{name}: {program}" for name, program in members) + "}"
        ),
        st.tuples(_names, inner).map(lambda made: f'{{{made[0]}, $x, "é": {made[1]}}}'),
    )


_small = st.one_of(_leaves, _more(_leaves))
programs = st.one_of(_small, _more(_small))
_numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**60), 2**60),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 1e17, 1e300, 5e-324]),
)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
_scalars = st.none() | st.booleans() | _numbers | _texts


def _collections(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)


values = st.one_of(_scalars, _collections(_scalars), _collections(_scalars | _collections(_scalars)))


def by_jq(program: str, value: Any, variables: dict[str, Any]) -> Any:
    prepared = prepare(program)
    return PROGRAMS.first(*prepared.request(value, prepared.bind(variables), Millis(0)))


def exactly(value: Any) -> str:
    """Text that differs where a type, a digit or the order of keys does."""
    return json.dumps(value)


# ---------------------------------------------------------------- properties


@settings(max_examples=int(os.environ.get("LOWTIDE_EXAMPLES", "500")))
@given(programs, values, values)
def test_a_program_gives_what_jq_gives_or_leaves_it_to_jq(program: str, value: Any, x: Any) -> None:
    function = simple(program)
    assume(function is not None)
    assert function is not None
    variables = {"x": x, "y": 1}
    try:
        mine = Exactness().check(function(value, variables))
    except Unsure:
        return
    try:
        theirs = by_jq(program, value, variables)
    except ExpressionFailed as failure:
        raise AssertionError(f"{program} is an error in jq ({failure}), and {mine!r} here") from failure
    assert exactly(mine) == exactly(theirs)


@pytest.mark.parametrize(
    ("program", "value", "expected"),
    [
        (".a.b", {"a": {"b": [1]}}, [1]),
        ('.["a"][0]', {"a": [7]}, 7),
        ("$x.a > 1 and (.b | not)", {"b": False}, True),
        (". + {a: .b, c: $x.a}", {"a": 1, "b": 2}, {"a": 2, "b": 2, "c": 3}),
        (".a.n? // 0", {"a": None}, 0),
        ('.a == "x" or .a != null', {"a": "y"}, True),
        (".a * 2 - 1", {"a": 4}, 7),
        (". | length", "é€", 2),
    ],
)
def test_what_workflows_mostly_say_is_of_the_small_kind(program: str, value: Any, expected: Any) -> None:
    function = simple(program)
    assert function is not None
    assert exactly(Exactness().check(function(value, {"x": {"a": 3}}))) == exactly(expected)
    assert exactly(by_jq(program, value, {"x": {"a": 3}})) == exactly(expected)


@pytest.mark.parametrize(
    "program", [".[]", "empty", ".a, .b", "now", "env", "input", '"\\(.a)"', ".a = 1", "# x", "", "x"]
)
def test_all_else_is_left_to_jq(program: str) -> None:
    assert simple(program) is None


@pytest.mark.parametrize(
    ("program", "value"),
    [(".a", 5), (".a", 2**53 + 1), (".a", {"a": 1.0}), (".a + .b", {"a": 1, "b": "x"}), ("$none", 1), ("length", True)],
)
def test_errors_and_numbers_that_jq_would_change_are_left_to_jq(program: str, value: Any) -> None:
    function = simple(program)
    assert function is not None
    with pytest.raises(Unsure):
        Exactness().check(function(value, {}))


def test_a_collection_that_was_seen_before_is_not_gone_through_again_and_another_is() -> None:
    rows, seen = [{"n": number} for number in range(100)], Exactness()
    assert seen.check({"n": 1, "rows": rows})["rows"] is rows
    assert seen.check({"n": 2, "rows": rows})["rows"] is rows
    with pytest.raises(Unsure):
        seen.check({"n": 1.0, "rows": rows})
    with pytest.raises(Unsure):
        seen.check({"n": 3, "rows": [*rows, 1.0]})
