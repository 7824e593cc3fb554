"""Properties: any document is answered, any plan travels, the work grows with the document."""

import copy
import json as plain_json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.dsl import check, plan
from lowtide.dsl.draw import mermaid, tree
from lowtide.dsl.templates import split, whole
from lowtide.model.plan import Plan
from lowtide.wire import json

EVERYTHING: dict[str, Any] = plan((Path(__file__).parent / "everything.yaml").read_text()).definition
SLOW = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# ---------------------------------------------------------------- documents

NAMES = ["alpha", "beta", "gamma", "delta/x", "ep~silon"]
SOURCES = [".", ".a", ".a.b[0]", "$context.x", '"} ${"', '{a: "\\(.b)"}', ".x | length > 2", "now # }"]
DURATIONS: list[Any] = ["PT1S", "P1DT2H", {"minutes": 5}, "${ .wait }", {"seconds": 0.25}]
STRATEGIES: list[Any] = [
    {"one": {"with": {"type": "a.b"}}},
    {"all": [{"with": {"type": "a"}, "correlate": {"k": {"from": ".data.id"}}}, {"with": {"data": "${ .x }"}}]},
    {"any": [], "until": ". | length > 3"},
]
BASES: dict[str, Any] = {
    "if": ".a",
    "input": {"from": ".a"},
    "output": {"as": {"a": "${ .b }"}},
    "export": {"as": "$context + {o: $output}"},
    "timeout": {"after": "PT1S"},
    "then": "exit",
}

characters = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
texts = st.text(characters, max_size=8).filter(lambda text: "${" not in text)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> Any:
    """The author's data: constants, expressions, text with expressions in it, and collections of these."""
    kind = draw(st.integers(0, 4 if depth else 2))
    if kind == 0:
        return draw(scalars)
    if kind == 1:
        return f"${{ {draw(st.sampled_from(SOURCES))}\n}}"
    if kind == 2:
        return f"{draw(texts)}${{ {draw(st.sampled_from(SOURCES))}\n}}{draw(texts)}"
    if kind == 3:
        return draw(st.lists(values(depth - 1), max_size=2))
    return draw(st.dictionaries(texts, values(depth - 1), max_size=2))


@st.composite
def lists_of_tasks(draw: st.DrawFn, depth: int) -> list[Any]:
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return [{name: draw(tasks(depth))} for name in chosen]


@st.composite
def tasks(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    task = _composite(draw, depth) if depth and draw(st.booleans()) else _simple(draw)
    base = draw(st.lists(st.sampled_from(sorted(BASES)), max_size=2, unique=True))
    return task | {key: BASES[key] for key in base}


def _simple(draw: st.DrawFn) -> dict[str, Any]:
    value = draw(values())
    found: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"set": {"a": value}},
                {"set": "${ .all }"},
                {"wait": draw(st.sampled_from(DURATIONS))},
                {"call": "someStep", "with": {"a": value}},
                {"call": "http", "with": {"method": "post", "endpoint": "https://x.y/{id}", "body": value}},
                {"listen": {"to": draw(st.sampled_from(STRATEGIES))}},
                {"emit": {"event": {"with": {"type": "a.b", "data": value}}}},
                {"raise": {"error": {"type": "https://x.y/e", "status": 400, "detail": "${ .d }"}}},
                {"run": {"workflow": {"namespace": "a", "name": "b", "input": value}}},
                {"switch": [{"one": {"when": ".a", "then": "end"}}, {"other": {"then": "continue"}}]},
            ]
        )
    )
    return found


def _composite(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    inner = draw(lists_of_tasks(depth - 1))
    retry = {"delay": draw(st.sampled_from(DURATIONS)), "limit": {"attempt": {"count": 2}}}
    found: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"do": inner},
                {"for": {"in": ".items", "each": "one"}, "while": "$index < 3", "do": inner},
                {"fork": {"branches": inner, "compete": draw(st.booleans())}},
                {"try": inner, "catch": {"as": "e", "do": inner, "retry": retry, "then": "end"}},
                {"listen": {"to": draw(st.sampled_from(STRATEGIES))}, "foreach": {"do": inner}},
            ]
        )
    )
    return found


documents = lists_of_tasks(2).map(
    lambda do: {"document": {"dsl": "1.0.3", "namespace": "a", "name": "b", "version": "1.0.0"}, "do": do}
)


@SLOW
@given(documents)
def test_the_plan_of_any_document_survives_the_wire_and_can_be_drawn(document: dict[str, Any]) -> None:
    checked = check(plain_json.dumps(document))
    assert checked.errors == ()
    assert checked.plan is not None
    assert json.decode(json.encode(checked.plan), Plan) == checked.plan
    assert checked.plan.definition == document
    assert mermaid(checked.plan)
    assert tree(checked.plan).children


# ---------------------------------------------------------------- nonsense


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += [(value, key), *places(child)]
    return found


PLACES = len(places(EVERYTHING))
keys = st.sampled_from(["use", "do", "with", "then", "a", "for", "call", "until"])
rubbish = st.recursive(
    scalars | st.sampled_from(["${", "${ }", "${ . ", "}", ".a |", "$x", "PT", "end", "use"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)


@SLOW
@given(st.lists(st.tuples(st.integers(0, PLACES - 1), rubbish, st.booleans()), min_size=1, max_size=4))
def test_a_document_with_rubbish_in_it_is_answered_and_never_crashes(changes: list[tuple[int, Any, bool]]) -> None:
    document = copy.deepcopy(EVERYTHING)
    for number, value, remove in changes:
        found = places(document)
        container, key = found[number % len(found)]
        if remove:
            del container[key]
        else:
            container[key] = value
    text = plain_json.dumps(document, indent=1)
    checked = check(text)
    assert (checked.plan is None) == bool(checked.errors)
    lines = text.split("\n")
    for problem in checked.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message
        assert problem.mend


@SLOW
@given(st.text(max_size=60) | st.binary(max_size=60) | st.text("{}[]:,-#&*!|>'\"%@`? \n\tab$", max_size=60))
def test_any_text_is_answered(text: str | bytes) -> None:
    assert check(text).plan is None


@given(values())
def test_the_end_of_an_expression_is_found_whatever_it_holds(value: Any) -> None:
    source = plain_json.dumps(value)
    piece = whole(f"${{ {source} }}")
    assert piece is not None
    assert piece.source == source
    assert [part.source for part in split(f"a ${{{source}}} b")] == ["a ", source, " b"]


# ---------------------------------------------------------------- size


def test_checking_a_document_of_ten_times_the_tasks_takes_about_ten_times_the_work() -> None:
    check(document_of(20))  # what is compiled and imported once
    small, large = document_of(100), document_of(1_000)
    # Calls do not depend on the machine: 10 where work is linear, 100 where it is quadratic.
    assert calls_to_check(large, 1_000) < 15 * calls_to_check(small, 100)


def document_of(count: int) -> str:
    tasks = "".join(
        f"""  - task{number}:
      call: http
      with:
        method: get
        endpoint: {{uri: 'https://example.com/{{id}}'}}
        headers:
          x-number: ${{ .x{number} }}
      output:
        as: .content
"""
        for number in range(count)
    )
    return f"document: {{dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}}\ndo:\n{tasks}"


def calls_to_check(text: str, tasks: int) -> int:
    """How many functions are called, of Python and of C."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        checked = check(text)
    finally:
        sys.setprofile(None)
    assert checked.plan is not None
    assert len(checked.plan.do) == tasks
    return calls
