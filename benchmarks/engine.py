"""The pure engine: how many tasks per second, how much memory, and what large documents and large data cost.

    make bench NAME=engine             (about a minute; ITERATIONS=100000 by default)

A loop of `set` and `switch` beside its floor, interleaved in the same run: a bare Python loop that evaluates the same
expressions on the same inputs with the same jq library, each compiled once. Once with expressions of the kind that most
workflows have (a path, a sum, a comparison), which the expression layer evaluates without jq, and once with expressions
that need jq. All times are CPU seconds of this process, so that busy neighbours count little.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jq
import msgspec
import psutil

from benchmarks.measuring import report, spread
from lowtide.dsl import check, plan
from lowtide.engine import begin, resume
from lowtide.expressions import JqHost
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.state import Completed, Seed, State
from lowtide.wire.states import write

ITERATIONS = int(os.environ.get("ITERATIONS", "100000"))
ROUNDS = 15
HEAD = "document: {dsl: '1.0.3', namespace: bench, name: engine, version: '1.0.0'}\n"
LOOP = """
do:
- loop:
    for: {each: item, in: '[range(.count)]'}
    do:
    - add: {set: {total: '${ %s }'}}
    - choose: {switch: [{large: {when: '%s', then: exit}}, {other: {then: continue}}]}
"""
KINDS = {
    "plain expressions": (".total + $item", ".total > 10000000000"),
    "expressions for jq": ("(.total + $item) % 1000", ".total % 7 == 0"),
}


def run(document: str, given: Any, look: Callable[[State], None] = lambda state: None) -> tuple[Any, float]:
    """Runs a workflow that needs nothing of the world; its output, and the CPU seconds that it took."""
    made, host = plan(HEAD + document), JqHost()
    try:
        began = time.process_time()
        turn = begin(made, Seed(execution=ExecutionId("bench"), input=given, at=Millis(1)), host)
        while turn.more:
            look(turn.state)
            turn = resume(made, turn.state, None, host)
        took = time.process_time() - began
        assert isinstance(turn.outcome, Completed), turn.outcome
        return turn.outcome.output, took
    finally:
        host.close()


def bare(add: str, choose: str, count: int) -> tuple[Any, float]:
    """The floor: the same data through the same expressions, and nothing else."""
    first, second = jq.compile(f". as {{$item, $data}} | $data | ({add})"), jq.compile(choose)
    data: Any = {"count": count, "total": 0}
    began = time.process_time()
    for item in range(count):
        data = {"total": first.input_value({"item": item, "data": data}).first()}
        second.input_value(data).first()
    return data, time.process_time() - began


def race(add: str, choose: str) -> tuple[dict[str, Any], float]:
    """Both, turn and turn about; figures, and the median of the rounds' ratios.

    Of the rounds', since a processor that is shared runs at half its speed for seconds at a time.
    """
    floors, ours, count = [], [], ITERATIONS // ROUNDS
    for _ in range(ROUNDS):
        expected, took = bare(add, choose, count)
        floors.append(took)
        output, took = run(LOOP % (add, choose), {"count": count, "total": 0})
        ours.append(took)
        assert output == expected, (output, expected)
    per_second = {
        "engine, tasks per second": spread([2 * count / took for took in ours]),
        "bare jq, evaluations per second": spread([2 * count / took for took in floors]),
    }
    return per_second, round(median(floor / our for floor, our in zip(floors, ours, strict=True)), 2)


def memory() -> dict[str, float]:
    """One loop of all iterations: how the process grows after its first fifth, and how large its state becomes."""
    process, looks, sizes, turns = psutil.Process(), [], [], 0
    collection = len(msgspec.json.encode(list(range(ITERATIONS))))

    def look(state: State) -> None:
        nonlocal turns
        turns += 1
        if turns % 20 == 0:
            sizes.append(len(write(state)))
            gc.collect()
            looks.append(process.memory_info().rss)

    run(LOOP % KINDS["plain expressions"], {"count": ITERATIONS, "total": 0}, look)
    after = looks[len(looks) // 5 :]
    return {
        "growth_mb": round((max(after) - after[0]) / 2**20, 1),
        "state_bytes": max(sizes),
        "collection_bytes": collection,
        "state_beyond_the_collection_bytes": max(sizes) - collection,
    }


def large_document(tasks: int = 2_000) -> float:
    """CPU seconds to read and check a document of that many tasks."""
    task = "- t%d: {call: http, with: {method: get, endpoint: 'https://example.com/{id}'}, output: {as: .content}}\n"
    text = HEAD + "do:\n" + "".join(task % number for number in range(tasks))
    taken = []
    for _ in range(3):
        began = time.process_time()
        checked = check(text)
        taken.append(time.process_time() - began)
        assert checked.plan is not None
        assert len(checked.plan.do) == tasks
    return min(taken)


def large_input(expression: str) -> float:
    """Milliseconds for a megabyte through ten tasks that each change one of its fields, the better of three."""
    rows = [{"sku": f"A-{number}", "quantity": number, "price": number + 0.5} for number in range(25_000)]
    given = {"n": 0, "rows": rows}
    assert len(msgspec.json.encode(given)) > 1_000_000
    document = "do:\n" + "".join(f"- t{number}: {{set: '${{ {expression} }}'}}\n" for number in range(10))
    took = []
    for _ in range(3):
        output, seconds = run(document, given)
        assert output["n"] == 10
        assert output["rows"] == rows
        took.append(seconds * 1000)
    return min(took)


def main() -> None:
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for name, expressions in KINDS.items():
        figures[name], ratios[f"engine / bare jq, {name}"] = race(*expressions)
        print(f"{name}: {figures[name]}", flush=True)
    figures["memory"] = memory()
    figures["two thousand tasks, s"] = round(large_document(), 2)
    figures["a megabyte through ten tasks, ms"] = round(large_input(". + {n: (.n + 1)}"), 1)
    figures["the same by `.n += 1`, which needs jq, ms of this process"] = round(large_input(".n += 1"), 1)
    goals = {f"{name} >= 0.5": ratio >= 0.5 for name, ratio in ratios.items()} | {
        "growth of memory <= 8 MB": figures["memory"]["growth_mb"] <= 8,
        "state beyond the collection <= 4 KB": figures["memory"]["state_beyond_the_collection_bytes"] <= 4096,
        "two thousand tasks <= 1 s": figures["two thousand tasks, s"] <= 1,
        "a megabyte through ten tasks <= 100 ms": figures["a megabyte through ten tasks, ms"] <= 100,
    }
    report("engine", figures, ratios, goals)


if __name__ == "__main__":
    main()
