"""What a document becomes: pointers, resolved references, templates, positions."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lowtide.dsl import check, plan
from lowtide.errors import InvalidDocument
from lowtide.model.plan import (
    ArrayTemplate,
    Call,
    Expression,
    For,
    Fork,
    Interpolation,
    Listen,
    Literal_,
    ObjectTemplate,
    Plan,
    Raise,
    RunProcess,
    RunWorkflow,
    Set,
    Task,
    Try,
    Wait,
)
from lowtide.wire import json

EVERYTHING = (Path(__file__).parent / "everything.yaml").read_text()
HEAD = "document: {dsl: 1.0.3, namespace: default, name: test, version: 1.0.0}\n"


def task(body: str, *, head: str = "", **_: Any) -> Task:
    """The one task of a document; ``body`` is its YAML, in one line."""
    return plan(f"{HEAD}{head}\ndo:\n- first: {body}\n").do[0]


def set_value(text: str, *, head: str = "") -> Any:
    found = task(f"{{set: {{x: {text}}}}}", head=head)
    assert isinstance(found, Set)
    return found.value.members["x"] if isinstance(found.value, ObjectTemplate) else Literal_(found.value.value["x"])  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def everything() -> Plan:
    checked = check(EVERYTHING, "everything.yaml")
    assert checked.problems == ()
    assert checked.plan is not None
    return checked.plan


def by_name(found: Plan, name: str) -> Any:
    return next(task for task in found.do if task.name == name)


def test_a_document_with_every_construct_has_no_problem(everything: Plan) -> None:
    kinds = {task.__struct_config__.tag for task in everything.do}
    assert kinds == {
        "call",
        "do",
        "emit",
        "for",
        "fork",
        "listen",
        "process",
        "raise",
        "set",
        "switch",
        "try",
        "wait",
        "workflow",
    } - {"do"}


def test_a_plan_survives_the_wire(everything: Plan) -> None:
    assert json.decode(json.encode(everything), Plan) == everything


def test_every_task_has_its_json_pointer(everything: Plan) -> None:
    fork: Fork = by_name(everything, "both")
    tried: Try = by_name(everything, "tried")
    loop: For = by_name(everything, "each")
    heard: Listen = by_name(everything, "hearMany")
    subscribed: Call = by_name(everything, "subscribe")
    assert heard.foreach is not None
    assert subscribed.foreach is not None
    assert [branch.pointer for branch in fork.branches] == [
        "/do/12/both/fork/branches/0/left",
        "/do/12/both/fork/branches/1/right",
    ]
    assert tried.try_[0].pointer == "/do/21/tried/try/0/fail"
    assert tried.catch.do[0].pointer == "/do/21/tried/catch/do/0/handle"
    assert loop.do[0].pointer == "/do/10/each/do/0/mark"
    assert heard.foreach.do[0].pointer == "/do/15/hearMany/foreach/do/0/store"
    assert subscribed.foreach.do[0].pointer == "/do/4/subscribe/with/subscription/foreach/do/0/keep"
    assert everything.functions["price"].pointer == "/use/functions/price"
    assert everything.extensions[0].before[0].pointer == "/use/extensions/0/log/before/0/before"
    assert everything.do[-1].pointer == "/do/25/named~1with~0odd chars"


def test_references_are_resolved(everything: Plan) -> None:
    tried: Try = by_name(everything, "tried")
    raised = tried.try_[0]
    assert isinstance(raised, Raise)
    assert isinstance(raised.error, ObjectTemplate)
    assert raised.error.members["status"] == Literal_(409)
    retry = tried.catch.retry
    assert retry is not None
    assert (retry.backoff, retry.multiplier, retry.count) == ("exponential", 3.0, 4)
    assert retry.delay == Literal_(2_000)
    assert retry.max_delay == Literal_(60_000)
    assert retry.jitter_to == Literal_(500)
    assert by_name(everything, "http").timeout == Literal_(10_000)
    assert everything.timeout == Literal_(5_400_000)
    assert everything.secrets == ("shop", "mail")
    catalog = everything.catalogs["company"]
    assert catalog == Literal_(
        {"uri": "https://example.com/catalog", "authentication": {"digest": {"username": "a", "password": "b"}}}
    )


def test_an_authentication_by_name_is_replaced_by_what_it_names(everything: Plan) -> None:
    call: Call = by_name(everything, "http")
    assert isinstance(call.with_, ObjectTemplate)
    endpoint = call.with_.members["endpoint"]
    assert isinstance(endpoint, ObjectTemplate)
    assert isinstance(endpoint.members["authentication"], ObjectTemplate)
    assert list(endpoint.members["authentication"].members) == ["basic"]
    body = call.with_.members["body"]
    assert isinstance(body, ObjectTemplate)
    assert body.members["authentication"] == Literal_({"use": "not a reference"})


@pytest.mark.parametrize("policy", ["{oauth2: {use: the-shop}}", "{use: shop}", "shop"])
def test_a_policy_from_a_secret_becomes_an_expression_that_reads_it(policy: str) -> None:
    head = "use: {secrets: [the-shop], authentications: {shop: {oauth2: {use: the-shop}}}}"
    endpoint = f"{{uri: 'https://example.com', authentication: {policy}}}"
    made = task(f"{{call: http, with: {{method: get, endpoint: {endpoint}}}}}", head=head)
    assert isinstance(made, Call)
    assert isinstance(made.with_, ObjectTemplate)
    found = made.with_.members["endpoint"]
    assert isinstance(found, ObjectTemplate)
    authentication = found.members["authentication"]
    assert isinstance(authentication, ObjectTemplate)
    secret = authentication.members["oauth2"]
    assert isinstance(secret, Expression)
    assert secret.source == '$secrets["the-shop"]'


def test_the_newest_version_of_a_child_is_no_version(everything: Plan) -> None:
    child: RunWorkflow = by_name(everything, "child")
    assert (child.version, child.await_) == (None, False)


def test_the_code_of_a_script_keeps_its_own_braces(everything: Plan) -> None:
    script: RunProcess = by_name(everything, "script")
    assert isinstance(script.with_, Literal_)
    assert script.with_.value["code"] == "console.log(`${name}`)"


def test_constant_subtrees_are_one_literal() -> None:
    assert set_value("{a: [1, {b: c}], d: null}") == Literal_({"a": [1, {"b": "c"}], "d": None})


def test_expressions_know_their_place() -> None:
    assert set_value("'${ .a }'") == Expression(".a", "4:24")
    assert set_value('"${  .a | .b  }"') == Expression(".a | .b", "4:25")


def test_text_with_an_expression_in_its_middle_is_interpolated() -> None:
    assert set_value("'Dear ${ .name }!'") == Interpolation(("Dear ", Expression(".name", "4:29"), "!"))
    two = set_value("'${ .a }${ .b }'")
    assert isinstance(two, Interpolation)
    assert [part.source for part in two.parts if isinstance(part, Expression)] == [".a", ".b"]


def test_an_expression_may_hold_braces_strings_and_comments() -> None:
    source = r'{a: "}${x}", b: "\({c: "}"})"} # }'
    text = f"{HEAD}do:\n- first:\n    set:\n      x: |\n        ${{ {source}\n        }}\n"
    found = plan(text).do[0]
    assert isinstance(found, Set)
    assert isinstance(found.value, ObjectTemplate)
    assert found.value.members["x"] == Expression(source, "6:12")


def test_bare_jq_counts_where_the_field_is_an_expression_and_is_text_elsewhere() -> None:
    found = task("{if: .a, for: {in: .b}, while: .c, do: [{x: {set: {y: .d}}}], output: {as: .e}, export: {as: .f}}")
    assert isinstance(found, For)
    assert found.if_ == Expression(".a", "4:15")
    assert isinstance(found.in_, Expression)
    assert isinstance(found.while_, Expression)
    assert found.output is not None
    assert isinstance(found.output.as_, Expression)
    assert found.export is not None
    assert isinstance(found.export.as_, Expression)
    inner = found.do[0]
    assert isinstance(inner, Set)
    assert inner.value == Literal_({"y": ".d"})


def test_an_object_in_output_as_is_a_template_by_the_strict_rule() -> None:
    found = task("{wait: PT1S, output: {as: {a: .text, b: '${ .b }'}}}")
    assert found.output is not None
    assert found.output.as_ == ObjectTemplate({"a": Literal_(".text"), "b": Expression(".b", "4:54")})


def test_loose_mode_tries_every_text() -> None:
    head = "evaluate: {mode: loose}"
    assert set_value(".a", head=head) == Expression(".a", "4:20", lenient=True)
    assert set_value("'hello world'", head=head) == Expression("hello world", "4:21", lenient=True)
    assert set_value("'${ .a }'", head=head) == Expression(".a", "4:24")
    assert set_value("5", head=head) == Literal_(5)


def test_loose_mode_leaves_names_of_the_standard_alone() -> None:
    found = task("{call: http, with: {method: get, endpoint: .uri, body: .b}}", head="evaluate: {mode: loose}")
    assert isinstance(found, Call)
    assert isinstance(found.with_, ObjectTemplate)
    assert found.with_.members["method"] == Literal_("get")
    assert found.with_.members["body"] == Expression(".b", "4:65", lenient=True)


def test_durations_become_milliseconds_where_they_are_constant() -> None:
    assert task("{wait: PT1.5S}") == Wait(name="first", pointer="/do/0/first", duration=Literal_(1_500))
    computed = task("{wait: {seconds: '${ .s }'}}")
    assert isinstance(computed, Wait)
    assert computed.duration == ObjectTemplate({"seconds": Expression(".s", "4:31")})


def test_a_list_with_one_expression_is_an_array_template() -> None:
    assert set_value("[1, '${ .a }']") == ArrayTemplate((Literal_(1), Expression(".a", "4:28")))


def test_the_definition_is_the_document_as_json(everything: Plan) -> None:
    assert everything.definition["document"]["name"] == "everything"
    assert list(everything.definition) == [
        "document", "input", "use", "timeout", "schedule", "evaluate", "output", "do",
    ]  # fmt: skip


def test_json_and_yaml_give_the_same_plan() -> None:
    text = json.encode(plan(EVERYTHING).definition)
    fields = [name for name in Plan.__struct_fields__ if name != "definition"]
    left, right = plan(EVERYTHING), plan(text)
    assert [len(left.do), left.definition] == [len(right.do), right.definition]
    assert all(type(getattr(left, name)) is type(getattr(right, name)) for name in fields)


def test_plan_raises_with_one_line_for_each_mistake() -> None:
    with pytest.raises(InvalidDocument) as refused:
        plan("document: {dsl: 1.0.3}\ndo: []\n", "order.yaml")
    assert [line.split(" ")[0] for line in refused.value.problems] == ["order.yaml:1:1:"] * 3


def test_warnings_do_not_forbid_a_plan() -> None:
    checked = check(HEAD + "do:\n- a: {wait: PT1S, then: end}\n- b: {wait: PT1S}\n")
    assert checked.plan is not None
    assert [problem.severity for problem in checked.problems] == ["warning"]


def test_documents_are_checked_in_threads_at_the_same_time(everything: Plan) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(check, [EVERYTHING] * 16))
    assert all(checked.plan == everything and checked.problems == () for checked in found)
