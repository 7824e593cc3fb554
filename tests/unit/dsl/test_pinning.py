"""Content for what a document refers to, round by round: without a network, since nothing here has any."""

from __future__ import annotations

from collections.abc import Callable

from lowtide.dsl import Checked, Pinning, check
from lowtide.dsl.outside.pinning import DEEPEST, MOST
from lowtide.dsl.outside.references import Found, Need, Refused
from lowtide.model.plan import Call, Do, Input, Schema, Set
from lowtide.wire import json

HEAD = "document: {dsl: 1.0.3, namespace: default, name: main, version: 1.0.0}\n"


def pinned(text: str, fetch: Callable[[str], str | None]) -> tuple[Checked, list[list[str]]]:
    """What came of it, and what was asked in each round."""
    pinning, rounds = Pinning(check(HEAD + text)), []
    while pinning.needs:
        rounds.append([need.uri for need in pinning.needs])
        pinning.give({need: _answer(need, fetch(need.uri)) for need in pinning.needs})
    return pinning.result(), rounds


def _answer(need: Need, text: str | None) -> Found | Refused:
    return Refused("is gone", "look elsewhere") if text is None else Found(need.uri, text.encode())


def of(texts: dict[str, str]) -> Callable[[str], str | None]:
    return texts.get


def test_a_document_that_refers_to_nothing_needs_nothing() -> None:
    checked = check(HEAD + "do:\n- a: {set: {b: 1}}\n- c: {call: step, with: {}}\n")
    assert not checked.refers_outside
    pinning = Pinning(checked)
    assert pinning.needs == ()
    assert pinning.result() is checked


def test_a_document_with_mistakes_of_its_own_is_not_worth_a_request() -> None:
    checked = check(HEAD + "do:\n- a: {call: 'https://x.example/f.yaml', thn: end}\n")
    assert Pinning(checked).needs == ()
    assert Pinning(checked).result().plan is None


def test_the_plan_holds_functions_by_the_name_that_calls_them() -> None:
    texts = {
        "https://x.example/functions/a/1.0.0/function.yaml": "do: [{b: {call: ./b.yaml, with: {}}}]",
        "https://x.example/functions/a/1.0.0/b.yaml": "set: {c: 1}",
    }
    text = "use: {catalogs: {x: {endpoint: 'https://x.example'}}}\ndo:\n- a: {call: 'a:1.0.0@x'}\n"
    checked, rounds = pinned(text, of(texts))
    assert checked.plan is not None
    assert [len(one) for one in rounds] == [1, 1]
    outer = checked.plan.functions["a:1.0.0@x"]
    assert isinstance(outer, Do)
    inner = outer.do[0]
    assert isinstance(inner, Call)
    assert inner.call == "https://x.example/functions/a/1.0.0/b.yaml", "relative names are absolute in the plan"
    assert isinstance(checked.plan.functions[inner.call], Set)
    assert json.decode(json.encode(checked.plan), type(checked.plan)) == checked.plan


def test_a_function_of_the_document_hides_none_elsewhere_and_is_not_fetched() -> None:
    text = "use: {functions: {'a:1.0.0@default': {set: {own: true}}}}\ndo:\n- a: {call: 'a:1.0.0@default'}\n"
    checked, rounds = pinned(text, of({}))
    assert checked.plan is not None
    assert rounds == []


def test_schemas_are_pinned_wherever_they_stand() -> None:
    schema = "{schema: {resource: {endpoint: 'https://x.example/s.yaml'}}}"
    text = f"input: {schema}\noutput: {schema}\ndo:\n- a: {{set: {{b: 1}}, input: {schema}, output: {schema}}}\n" + (
        f"- c: {{listen: {{to: {{one: {{with: {{type: t}}}}}}}}, foreach: {{output: {schema}}}, export: {schema}}}\n"
    )
    checked, rounds = pinned(text, of({"https://x.example/s.yaml": "type: object"}))
    assert checked.plan is not None
    assert rounds == [["https://x.example/s.yaml"]]
    assert checked.plan.input is not None
    assert checked.plan.input.schema is not None
    assert checked.plan.input.schema.document == {"type": "object"}
    assert json.encode(checked.plan).count(b'"document":{"type":"object"}') == 6


def test_each_place_that_needs_what_is_gone_is_told() -> None:
    text = "do:\n- a: {call: 'https://x.example/f.yaml'}\n- b: {call: 'https://x.example/f.yaml'}\n"
    checked, _ = pinned(text, of({}))
    assert [str(error) for error in checked.errors] == [
        f"workflow.yaml:{line}:13: the function https://x.example/f.yaml is gone; look elsewhere" for line in (3, 4)
    ]


def test_an_expression_of_a_function_says_in_which_document_it_stands() -> None:
    checked, _ = pinned(
        "do:\n- a: {call: 'https://x.example/f.yaml'}\n", of({"https://x.example/f.yaml": "set: ${ .a }"})
    )
    assert checked.plan is not None
    function = checked.plan.functions["https://x.example/f.yaml"]
    assert isinstance(function, Set)
    assert getattr(function.value, "at", None) == "https://x.example/f.yaml:1:9"


def test_functions_name_functions_only_so_deep() -> None:
    def endless(uri: str) -> str:
        number = int(uri.rpartition("/")[2].removesuffix(".yaml"))
        return f"do: [{{next: {{call: ./{number + 1}.yaml}}}}]"

    checked, rounds = pinned("do:\n- a: {call: 'https://x.example/0.yaml'}\n", endless)
    assert len(rounds) == DEEPEST
    assert "more than 10 references deep" in str(checked.errors[0])


def test_functions_name_only_so_many() -> None:
    calls = "".join(f"{{t{number}: {{call: ./{number}.yaml}}}}, " for number in range(MOST))
    texts = {"https://x.example/f.yaml": f"do: [{calls}]"}
    checked, rounds = pinned(
        "do:\n- a: {call: 'https://x.example/f.yaml'}\n", lambda uri: texts.get(uri, "set: {a: 1}")
    )
    assert sum(len(one) for one in rounds) == MOST
    assert "more than 100 things" in str(checked.errors[0])


def test_all_of_it_together_is_only_so_large() -> None:
    text = "do:\n" + "".join(f"- t{number}: {{call: 'https://x.example/{number}.yaml'}}\n" for number in range(3))
    checked, _ = pinned(text, lambda _: "set: {a: 1} #" + " " * (2 * 1024 * 1024))
    assert [error.line for error in checked.errors] == [4, 5]
    assert "more than there is room for" in checked.errors[0].message


def test_a_function_may_be_named_twice_without_being_a_circle() -> None:
    texts = {
        "https://x.example/a.yaml": "do: [{b: {call: ./c.yaml}}, {d: {call: ./c.yaml}}]",
        "https://x.example/c.yaml": "set: {e: 1}",
    }
    text = "do:\n- a: {call: 'https://x.example/a.yaml'}\n- c: {call: 'https://x.example/c.yaml'}\n"
    checked, _ = pinned(text, of(texts))
    assert checked.errors == ()


def test_a_function_sees_nothing_of_the_definitions_of_the_workflow() -> None:
    function = "call: http\nwith: {method: get, endpoint: {uri: 'https://x.example', authentication: {use: mine}}}\n"
    text = "use: {authentications: {mine: {bearer: {token: t}}}}\ndo:\n- a: {call: 'https://x.example/f.yaml'}\n"
    checked, _ = pinned(text, of({"https://x.example/f.yaml": function}))
    assert "there is no 'mine' in use.authentications" in str(checked.errors[0])
    assert "write it inline" in str(checked.errors[0])


def test_a_function_cannot_take_a_secret_by_its_name_either() -> None:
    function = (
        "call: http\nwith: {method: get, endpoint: {uri: 'https://x.example', authentication: {bearer: {use: s}}}}\n"
    )
    text = "use: {secrets: [s]}\ndo:\n- a: {call: 'https://x.example/f.yaml'}\n"
    checked, _ = pinned(text, of({"https://x.example/f.yaml": function}))
    assert "a function cannot read secrets" in str(checked.errors[0])


def test_the_authentication_of_what_is_fetched_before_cannot_depend_on_data() -> None:
    endpoint = "{uri: 'https://x.example', authentication: {bearer: {token: '${ $context.token }'}}}"
    checked = check(HEAD + f"use: {{catalogs: {{x: {{endpoint: {endpoint}}}}}}}\ndo:\n- a: {{call: 'a:1.0.0@x'}}\n")
    assert any("its authentication needs $context" in error.message for error in checked.errors)


def test_an_input_without_a_schema_is_left_as_it_is() -> None:
    checked, _ = pinned("input: {from: .a}\ndo:\n- a: {call: 'https://x.example/f'}\n", lambda _: "set: {a: 1}")
    assert checked.plan is not None
    assert isinstance(checked.plan.input, Input)
    assert not isinstance(checked.plan.input.schema, Schema)
