"""What holds for every document of the grammar, and for whatever else somebody calls one."""

from __future__ import annotations

import copy
import json as plain_json
import os
import re
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lowtide.dsl import check
from lowtide.dsl.draw import graph, mermaid, tree
from lowtide.dsl.models import built
from lowtide.dsl.scalars import resolve
from lowtide.model.plan import Plan
from lowtide.wire import json
from tests.drawn import JSON_VALUES
from tests.grammar import Seen, documents, wholes
from tests.shapes import all_fields

TIMES = int(os.environ.get("LOWTIDE_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """The same examples each time; ``LOWTIDE_EXAMPLES=100`` tries a hundred times as many, others each time.

    Documents are large, and making one smaller takes minutes: what failed is shown as it was drawn.
    """
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# ---------------------------------------------------------------- the strategy itself


def test_every_field_of_every_model_of_the_grammar_is_drawn() -> None:
    """It may take a few rounds: Hypothesis likes the constants of the modules that are loaded."""
    seen = Seen()

    for number in range(10):

        @seed(number)
        @settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(wholes(seen))
        def draw(values: dict[Any, Any]) -> None:
            for model, value in values.items():
                model.model_validate(value)

        draw()
        if not all_fields() - set(seen.fields):
            return
    assert all_fields() - set(seen.fields) == set()


# ---------------------------------------------------------------- documents that are right


class _Dumper(yaml.SafeDumper):
    """Writes text plain only where YAML 1.2 reads it as that text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None if _is_plain(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _is_plain(text: str) -> bool:
    try:
        return bool(text) and "\x85" not in text and resolve(text) == text
    except ValueError:  # a number that is too large
        return False


_Dumper.add_representer(str, _text)


def as_yaml(document: Any, width: int, flow: bool | None) -> str:
    made: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow
    )
    return made.replace("\x85", "\\N")  # which PyYAML, of YAML 1.1, takes for the end of a line


@examples(20)
@given(documents(), st.sampled_from([20, 80, 10_000]), st.sampled_from([True, False, None]))
def test_a_document_is_the_same_through_the_models_and_both_notations(
    document: dict[str, Any], width: int, flow: bool | None
) -> None:
    model = built().model_validate(document)
    assert model.model_dump(by_alias=True, exclude_unset=True, warnings=False) == document
    texts = [as_yaml(document, width, flow), plain_json.dumps(document), plain_json.dumps(document, indent=2)]
    for text in texts:
        checked = check(text)
        assert checked.errors == ()
        assert checked.plan is not None
        assert same(checked.plan.definition, document)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 is neither true nor 1.0."""
    return plain_json.dumps(left) == plain_json.dumps(right)


@examples(20)
@given(documents())
def test_the_plan_of_a_document_travels_and_can_be_drawn(document: dict[str, Any]) -> None:
    made = check(plain_json.dumps(document)).plan
    assert made is not None
    body = json.encode(made)
    again = json.decode(body, Plan)
    assert again == made
    assert json.encode(again) == body
    assert mermaid(made).startswith("flowchart TD\n")
    assert len(tree(made).children) >= len(made.do)
    drawn = graph(made)
    ids = [node["id"] for node in drawn["nodes"]]
    assert len(ids) == len(set(ids))
    assert {edge[end] for edge in drawn["edges"] for end in ("from", "to")} <= set(ids)


# ---------------------------------------------------------------- documents that are wrong

_BREAK = re.compile("\r\n|[\n\r]")

RUBBISH = JSON_VALUES | st.sampled_from(
    ["${", "${ }", "${ . ", ".a |", "$x", "PT", "regex:a{99999999999}", "regex:(", "a@b", "./a", "https://{x}", "known"]
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += [(value, key), *places(child)]
    return found


def assert_inside(text: str, source: str | bytes) -> None:
    checked = check(source)
    lines = _BREAK.split(text)
    assert (checked.plan is None) == bool(checked.errors)
    for problem in checked.problems:
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.message
        assert problem.mend


@examples(25)
@given(
    documents(),
    st.lists(
        st.tuples(st.integers(0, 10**6), RUBBISH, st.sampled_from(["remove", "replace", "rename", "double"])),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([20, 10_000]),
    st.booleans(),
)
def test_a_document_that_was_spoilt_is_answered_inside_its_text(
    document: dict[str, Any], changes: list[tuple[int, Any, str]], width: int, as_json: bool
) -> None:
    spoilt = copy.deepcopy(document)
    for number, value, how in changes:
        found = places(spoilt)
        if not found:
            break
        container, key = found[number % len(found)]
        if how == "remove":
            del container[key]
        elif how == "replace":
            container[key] = value
        elif isinstance(container, dict):
            container[str(value) if how == "rename" else f"{key}s"] = container[key]
    text = plain_json.dumps(spoilt, indent=1) if as_json else as_yaml(spoilt, width, None)
    assert_inside(text, text)


@examples(20)
@given(documents(), st.data())
def test_a_text_that_was_torn_is_answered_inside_it(document: dict[str, Any], data: st.DataObject) -> None:
    whole = as_yaml(document, 60, None)
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    middle = data.draw(
        st.text(max_size=5) | st.sampled_from(["\t", "\u2028", "\x85", "- ", ": ", "{", "!!float 9", "&a", "*a"])
    )
    text = whole[:start] + middle + whole[start + length :]
    assert_inside(text.removeprefix("\ufeff"), text)
