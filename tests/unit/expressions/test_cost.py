"""Which programs may run in this process."""

import pytest

from lowtide.expressions.cost import is_cheap

_TEXT = "0" * 200


@pytest.mark.parametrize(
    "program", [".a.b", "$context + {total: .total}", '{a: 1, "b": .c}', "[.[] | select(.price > 3)]", ". as $x | $x"]
)
def test_what_is_surely_quick_stays_in_process(program: str) -> None:
    assert is_cheap(program, _TEXT)


@pytest.mark.parametrize(
    "program", ["repeat(.)", "{a: repeat(1)}", "{repeat: 1} | repeat(.)", "range(1e9)", 'test("(a+)+$")', "def f: f; f"]
)
def test_what_may_take_long_goes_to_a_worker(program: str) -> None:
    assert not is_cheap(program, _TEXT)
