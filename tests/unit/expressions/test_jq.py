"""jq as workflows see it: what it gives, what it may not do, and what happens when it takes too long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lowtide.engine.host import ExpressionFailed
from lowtide.expressions import JqHost, Limits
from lowtide.expressions.cost import is_cheap
from lowtide.model.base import Millis

NOW = Millis(1_700_000_000_500)


@pytest.fixture
def host() -> Iterator[JqHost]:
    made = JqHost(limits=Limits(seconds=0.5))
    yield made
    made.close()


def evaluate(host: JqHost, program: str, value: Any = None, **variables: Any) -> Any:
    return host.evaluate(program, value, variables, NOW)


def test_the_first_output_counts_and_none_is_null(host: JqHost) -> None:
    assert evaluate(host, ".[]", [1, 2]) == 1
    assert evaluate(host, "empty") is None


def test_variables_are_bound_by_name(host: JqHost) -> None:
    assert evaluate(host, "$context.a + $item + .b", {"b": 1}, context={"a": 2}, item=3) == 6


def test_now_is_the_turns_time(host: JqHost) -> None:
    assert evaluate(host, "now") == 1_700_000_000.5
    assert evaluate(host, "now | floor | todate") == "2023-11-14T22:13:20Z"


def test_the_process_cannot_be_read(host: JqHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "x")
    assert evaluate(host, "env") == {}
    assert evaluate(host, "$ENV") == {}
    assert evaluate(host, "input_filename") is None


@pytest.mark.parametrize("program", ["input", "inputs", "halt", "halt_error", '"x" | halt_error(1)'])
def test_what_could_end_or_feed_the_process_is_refused(host: JqHost, program: str) -> None:
    with pytest.raises(ExpressionFailed, match="not available in workflows"):
        evaluate(host, program)


@pytest.mark.parametrize("program", ['import "a" as a; 1', 'include "a"; 1', ") | (1", ".a |", "$nope"])
def test_what_does_not_compile_says_so(host: JqHost, program: str) -> None:
    with pytest.raises(ExpressionFailed) as failure:
        evaluate(host, program)
    assert failure.value.syntax


def test_an_error_keeps_its_message(host: JqHost) -> None:
    with pytest.raises(ExpressionFailed, match=r"^boom$"):
        evaluate(host, 'error("boom")')
    with pytest.raises(ExpressionFailed, match="Cannot index string"):
        evaluate(host, ".a.b", {"a": "text"})


def test_a_comment_at_the_end_does_not_swallow_what_follows(host: JqHost) -> None:
    assert evaluate(host, "1 # one") == 1


@pytest.mark.parametrize(
    "program",
    [
        "[limit(3e7; repeat(1))]",
        "[range(1e9)] | length",
        "def f: f; f",
        '"x" * 1e9 | length',
        "last(range(1e9))",
    ],
)
def test_a_runaway_program_is_stopped_and_the_next_one_runs(host: JqHost, program: str) -> None:
    evaluate(host, "[range(3)]")
    began = time.monotonic()
    with pytest.raises(ExpressionFailed, match=r"longer than 0\.5 s"):
        evaluate(host, program)
    assert time.monotonic() - began < 5
    assert evaluate(host, "[range(3)]") == [0, 1, 2]


def test_memory_that_data_asks_for_is_bounded(host: JqHost) -> None:
    with pytest.raises(ExpressionFailed):
        evaluate(host, ".a * .b * .b | length", {"a": "x" * 1000, "b": 99_999_999})


def test_input_that_is_too_large_is_refused() -> None:
    small = JqHost(limits=Limits(input_bytes=100))
    with pytest.raises(ExpressionFailed, match="more than 100"):
        evaluate(small, ".x", {"x": "y" * 200})


@pytest.mark.parametrize(
    "program",
    [
        ".order.id",
        '.color == "red"',
        "{ids: [$input, .id]}",
        ".items | map(.price * .quantity) | add",
        "$context + {error: $error}",
        '"Hello \\(.user.name)!"',
        "[.[] | select(.age > 18)]",
        "(.n // 0) + 1",
    ],
)
def test_everyday_programs_run_in_this_process(program: str) -> None:
    assert is_cheap(program, '{"small": [1, 2, 3], "price": 12.5}')


@pytest.mark.parametrize(
    "program",
    [
        "[range(10)]",
        'test("(a+)+b")',
        "[recurse]",
        "while(true; .)",
        "def f: 1; f",
        "|".join(["[.,.]"] * 60),
        "ltrimstr(1) | getpath(paths) | walk(.)",
        '"\\(range(1e9))"',
        ".[] as $a | .[] as $b | .[] as $c | .[] as $d | .[] as $e | [$a, $b, $c, $d, $e]",
    ],
)
def test_programs_that_may_take_long_do_not(program: str) -> None:
    assert not is_cheap(program, "[1, 2, 3]" * 20)


def test_the_larger_the_input_the_fewer_programs_are_cheap() -> None:
    pairs = "[.[] as $a | .[] as $b | [$a, $b]]"
    assert is_cheap(pairs, "[1, 2, 3]")
    assert not is_cheap(pairs, "[" + "1," * 50_000 + "1]")


def test_violations_name_their_place(host: JqHost) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["m"]}
    assert host.violations(schema, {"n": "x"}) == ["/: 'm' is a required property", "/n: 'x' is not of type 'integer'"]
    assert host.violations(schema, {"n": 1, "m": 2}) == []
    assert "schema itself is wrong" in host.violations({"type": "nonsense"}, 1)[0]
