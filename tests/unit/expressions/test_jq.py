"""jq as workflows see it: what it gives, what it may not do, and what happens when it takes too long."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lowtide.engine.host import ExpressionFailed, WouldWait
from lowtide.expressions import JqHost, Limits
from lowtide.expressions.cost import is_cheap
from lowtide.expressions.program import Programs
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
        evaluate(small, ".x | ascii_upcase", {"x": "y" * 200})


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


@pytest.mark.parametrize(
    "schema", [{"$ref": "http://127.0.0.1:1/x"}, {"$ref": "#/nowhere"}, {"$ref": "#"}, {"pattern": "("}]
)
def test_a_schema_that_leads_nowhere_is_wrong_and_fetches_nothing(host: JqHost, schema: Any) -> None:
    (violation,) = host.violations(schema, "x")
    assert violation.startswith("the schema itself is wrong")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 40 + "!"),
        ({"properties": {"x": {"items": {"pattern": "^(a|a)*$"}}}}, {"x": ["a" * 40 + "!"]}),
        ({"patternProperties": {"^(a+)+$": {"type": "null"}}}, {"a" * 40 + "!": 1}),
        ({"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}, {"a" * 40 + "!": 1}),
    ],
)
def test_a_pattern_that_never_gives_up_is_stopped(host: JqHost, schema: Any, value: Any) -> None:
    (violation,) = host.violations(schema, value)
    assert violation.startswith("/: a pattern of the schema cannot be tried on it: it took longer than 0.5 s")
    with pytest.raises(WouldWait):
        host.impatient.violations(schema, value)
    assert host.violations({"pattern": "^(a|b)+$"}, "abab") == []
    assert host.violations({"pattern": "^(a|b)+$"}, "abc") == ["/: 'abc' does not match '^(a|b)+$'"]


def test_who_may_not_wait_is_told_so(host: JqHost) -> None:
    impatient = host.impatient
    assert evaluate(impatient, ".a", {"a": 1}) == 1
    with pytest.raises(WouldWait):
        evaluate(impatient, "[range(3)]")
    assert evaluate(host, "[range(3)]") == [0, 1, 2]


def test_an_answer_that_is_too_large_is_refused() -> None:
    small = JqHost(limits=Limits(input_bytes=1000))
    with pytest.raises(ExpressionFailed, match="more than 1000"):
        evaluate(small, "[range(1000)]")
    assert evaluate(small, "[range(3)]") == [0, 1, 2]
    small.close()


def test_a_worker_that_died_at_rest_is_replaced(host: JqHost) -> None:
    assert evaluate(host, "[range(1)]") == [0]
    process = host._worker._process
    assert process is not None
    process.kill()
    process.wait(10)
    assert evaluate(host, "[range(2)]") == [0, 1]


def test_a_worker_ends_with_a_host_that_nobody_closed() -> None:
    forgotten = JqHost()
    assert evaluate(forgotten, "[range(3)]") == [0, 1, 2]
    process = forgotten._worker._process
    assert process is not None
    assert process.poll() is None
    del forgotten
    gc.collect()
    assert process.poll() is not None


def test_a_worker_whose_parent_is_gone_ends_by_itself() -> None:
    code = (
        "import os, threading, time\n"
        "from lowtide.expressions import JqHost, Limits\n"
        "host = JqHost(limits=Limits(seconds=0.2))\n"
        "host.evaluate('[range(1)]', None, {}, 0)\n"
        "print(host._worker._process.pid, flush=True)\n"
        "threading.Thread(target=host.evaluate, args=('last(repeat(1))', None, {}, 0)).start()\n"
        "time.sleep(0.1)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 9
    worker = Path("/proc") / done.stdout.strip()
    ends = time.monotonic() + 15
    while worker.exists() and "State:\tZ" not in (worker / "status").read_text():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_many_threads_share_the_compiled_programs() -> None:
    programs = Programs(size=2)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda n: programs.first(f"{n % 5}", "null"), range(400)))
    assert results == [n % 5 for n in range(400)]
