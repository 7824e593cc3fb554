"""Data flow: the standard's order of steps, the variables of each, and what `then` does."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.errors import InvalidDocument
from tests.plays import play


def test_tasks_follow_each_other_and_hand_on_their_output() -> None:
    done = play("do: [{a: {set: {n: 1}}}, {b: {set: {n: '${ .n + 1 }', was: '${ . }'}}}]")
    assert done.output == {"n": 2, "was": {"n": 1}}


def test_input_from_and_output_as_shape_what_a_task_sees_and_gives() -> None:
    done = play("do: [{a: {input: {from: .user}, set: {id: '${ .id }'}, output: {as: .id}}}]", {"user": {"id": 7}})
    assert done.output == 7


def test_a_false_condition_skips_the_task_and_its_directive() -> None:
    done = play("do: [{a: {if: .n > 1, set: {n: 5}, then: end}}, {b: {set: {last: '${ .n }'}}}]", {"n": 1})
    assert done.output == {"last": 1}
    assert done.statuses("a") == ["skipped"]


def test_export_replaces_the_context_and_context_begins_as_the_transformed_input() -> None:
    done = play(
        """
input: {from: .order}
do:
- a: {set: {seen: '${ $context }'}, export: {as: '{total: 3}'}}
- b: {set: {seen: '${ .seen }', now: '${ $context }'}}
""",
        {"order": {"id": 1}},
    )
    assert done.output == {"seen": {"id": 1}, "now": {"total": 3}}


def test_all_variables_have_their_standard_shapes() -> None:
    done = play(
        """
use: {secrets: [token]}
do:
- look:
    input: {from: '{n: .n}', schema: {document: {type: object}}}
    set:
      task: '${ $task }'
      workflow: '${ $workflow | del(.definition) }'
      runtime: '${ $runtime.name }'
      input: '${ $input }'
      secret: '${ $secrets.token | length }'
    output: {as: '. + {raw: $task.output.input}'}
    export: {as: '{out: $output.input}'}
output: {as: '. + {context: $context}'}
""",
        {"n": 1, "more": 2},
    )
    output = done.output
    assert output["task"]["name"] == "look"
    assert output["task"]["reference"] == "/do/0/look"
    assert output["task"]["input"] == {"n": 1, "more": 2}
    assert output["task"]["definition"]["set"]["input"] == "${ $input }"
    assert output["task"]["startedAt"]["epoch"] == {"seconds": 1_700_000_000, "milliseconds": 1_700_000_000_000}
    assert output["workflow"]["id"] == "e"
    assert output["workflow"]["input"] == {"n": 1, "more": 2}
    assert output["workflow"]["startedAt"]["iso8601"] == "2023-11-14T22:13:20.000Z"
    assert (output["runtime"], output["input"], output["secret"]) == ("lowtide", {"n": 1}, 6)
    assert (output["raw"], output["context"]) == ({"n": 1}, {"out": {"n": 1}})


def test_integers_beyond_the_doubles_survive_where_no_expression_touches_them() -> None:
    big: Any = {"id": 12345678901234567890, "ratio": 1.0}
    done = play("do: [{a: {switch: [{d: {then: continue}}]}}, {b: {set: {id: 2}, if: 'false'}}]", big)
    assert done.output == big
    assert isinstance(done.output["ratio"], float)


@pytest.mark.parametrize(("directive", "output"), [("continue", [1, 2, 3]), ("exit", [1]), ("end", [1]), ("c", [1, 3])])
def test_then_says_where_to_go(directive: str, output: list[int]) -> None:
    done = play(
        f"""
do:
- a: {{set: '${{ . + [1] }}', then: {directive}}}
- b: {{set: '${{ . + [2] }}'}}
- c: {{set: '${{ . + [3] }}'}}
""",
        [],
    )
    assert done.output == output


def test_exit_leaves_one_list_and_end_the_workflow() -> None:
    body = """
do:
- outer: {{do: [{{a: {{set: {{n: 1}}, then: {then}}}}}, {{b: {{set: {{n: 2}}}}}}]}}
- c: {{set: {{m: '${{ .n }}'}}}}
"""
    assert play(body.format(then="exit")).output == {"m": 1}
    assert play(body.format(then="end")).output == {"n": 1}


def test_a_schema_that_does_not_fit_is_a_validation_error_that_names_the_member() -> None:
    done = play(
        "input: {schema: {document: {type: object, properties: {n: {type: integer}}, required: [n]}}}\n"
        "do: [{a: {set: {x: 1}}}]",
        {"n": "one"},
    )
    assert (done.error.status, done.error.type.rpartition("/")[2]) == (400, "validation")
    assert "/n" in (done.error.detail or "")
    assert done.facts == []


@pytest.mark.parametrize("part", ["output", "export"])
def test_output_and_context_are_checked_too(part: str) -> None:
    done = play(f"do: [{{a: {{set: {{x: 1}}, {part}: {{as: .x, schema: {{document: {{type: string}}}}}}}}}}]")
    assert done.error.type.endswith("/validation")
    assert done.error.instance == "/do/0/a"


def test_an_expression_that_fails_names_itself_its_place_and_the_shape_of_its_input() -> None:
    done = play("do: [{a: {set: {x: '${ .a.b }'}}}]", {"a": "text", "c": 1})
    assert done.error.type.endswith("/expression")
    detail = done.error.detail or ""
    assert ".a.b" in detail
    assert "2:" in detail
    assert "an object with a, c" in detail
    assert done.error.instance == "/do/0/a"


def test_no_output_of_an_expression_is_null() -> None:
    assert play("do: [{a: {set: {x: '${ empty }'}}}]").output == {"x": None}


def test_text_around_expressions_is_joined() -> None:
    done = play("do: [{a: {set: {x: 'Hello ${ .name }, ${ .n }!'}}}]", {"name": "Ada", "n": [1]})
    assert done.output == {"x": "Hello Ada, [1]!"}


def test_a_variable_that_a_stage_does_not_have_is_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidDocument, match="context is not available"):
        play("input: {from: '$context'}\ndo: [{a: {set: {x: 1}}}]")


def test_a_busy_loop_breathes_and_stays_small() -> None:
    done = play(
        """
do:
- count: {set: '${ . + 1 }'}
- again: {switch: [{more: {when: '. < 3000', then: count}}]}
""",
        0,
    )
    assert done.output == 3000
    assert done.state.turn > 5
