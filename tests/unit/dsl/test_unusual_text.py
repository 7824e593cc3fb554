"""Numbers beyond all floats, and line ends that only YAML 1.1 knows."""

import pytest

from lowtide.dsl import check, plan
from lowtide.model.plan import Try

HEAD = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"


def test_a_float_that_is_too_large_is_a_mistake_with_its_place() -> None:
    checked = check(f"{HEAD}do: [{{a: {{set: {{x: !!float {'9' * 400}}}}}}}]")
    (found,) = checked.errors
    assert (found.line, found.column) == (2, 20)
    assert "too large" in found.message


def test_a_multiplier_beyond_all_floats_grows_like_the_largest() -> None:
    made = plan(
        f"{HEAD}do: [{{a: {{try: [], catch: {{retry: {{backoff: {{exponential: {{multiplier: {'9' * 400}}}}}}}}}}}}}]"
    )
    (task,) = made.do
    assert isinstance(task, Try)
    assert task.catch.retry is not None
    assert task.catch.retry.multiplier > 1e308


def test_a_pattern_with_an_uncountable_repetition_is_a_mistake() -> None:
    pattern = "regex:a{99999999999}"
    checked = check(f"{HEAD}do: [{{a: {{listen: {{to: {{one: {{with: {{type: '{pattern}'}}}}}}}}}}}}]")
    (found,) = checked.errors
    assert "no regular expression" in found.message


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"])
def test_lines_are_counted_as_editors_count_them(odd: str) -> None:

    (first, *_) = check(f"{HEAD}# one{odd}{odd}{odd}\ndo: 5").errors
    assert (first.line, first.column) == (3, 5)
    (broken, *_) = check(f"{HEAD}# one{odd}{odd}{odd}\ndo: [a, b\nc: d").errors
    assert broken.line == 4


def test_the_secret_that_fetches_a_schema_is_not_shown_by_the_output_that_it_is_for() -> None:
    policy = "{bearer: {token: '${ $secrets.shop }'}}"
    schema = f"{{resource: {{endpoint: {{uri: 'https://example.com/s', authentication: {policy}}}}}}}"
    checked = check(f"{HEAD}use: {{secrets: [shop]}}\noutput: {{schema: {schema}}}\ndo: []")
    assert checked.errors == ()
