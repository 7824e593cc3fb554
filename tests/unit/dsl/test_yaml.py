"""YAML 1.2, and none of the surprises of YAML 1.1 (decision A-1)."""

from typing import Any

import pytest

from lowtide.dsl import check
from lowtide.dsl.load import load
from lowtide.dsl.problem import Report
from lowtide.dsl.source import Source
from lowtide.dsl.tree import Node


def read(text: str | bytes) -> Node:
    report = Report("test.yaml")
    root = load(Source(text), report)
    assert not report.problems
    assert root is not None
    return root


def value(text: str) -> Any:
    return read(f"key: {text}\n").value["key"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("off", "off"),
        ("y", "y"),
        ("12:30:00", "12:30:00"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("1.0.0", "1.0.0"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0777", 777),
        ("0o777", 511),
        ("0xff", 255),
        ("+12", 12),
        ("-0", 0),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("true", True),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5.0),
        ("12345678901234567890", 12345678901234567890),
        ("=", "="),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, meant: Any) -> None:
    got = value(text)
    assert got == meant
    assert type(got) is type(meant)


def test_on_is_a_key_of_the_schedule() -> None:
    root = read("schedule:\n  on:\n    one: {with: {type: a}}\n")
    assert root.get("schedule", "on", "one", "with", "type") is not None


def test_keys_are_always_text() -> None:
    assert read("200: ok\ntrue: yes\n1.0: x\nno: y\n").value == {"200": "ok", "true": "yes", "1.0": "x", "no": "y"}


def test_every_key_and_value_knows_its_place() -> None:
    root = read("a: 1\nb:\n  - c\n  - {d: e}\n")
    assert root.keys == {"a": (1, 1), "b": (2, 1)}
    items = root.members["b"].items
    assert [item.mark for item in items] == [(3, 5), (4, 5)]
    assert items[1].keys["d"] == (4, 6)
    assert items[1].members["d"].mark == (4, 9)


def test_key_order_survives() -> None:
    assert list(read("z: 1\na: 2\nm: 3\n").value) == ["z", "a", "m"]


def test_an_alias_repeats_a_value() -> None:
    root = read("a: &x {n: 1}\nb: *x\nc: &k key\n*k : d\n")
    assert root.value == {"a": {"n": 1}, "b": {"n": 1}, "c": "key", "key": "d"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_in_unicode_is_read(encoding: str) -> None:
    assert read("näme: größe 🌊\n".encode(encoding)).value == {"näme": "größe 🌊"}


def test_windows_line_ends_are_read() -> None:
    root = read("a: 1\r\nb: |\r\n  x\r\n  y\r\n")
    assert root.value == {"a": 1, "b": "x\ny\n"}
    assert root.keys["b"] == (2, 1)


def test_json_is_read_with_places_and_with_its_own_escapes() -> None:
    root = read('{\n\t"a": "\\ud83c\\udf0a \\/",\n\t"b": [1, -2.5e1, true, null, {}]\n}\n')
    assert root.value == {"a": "🌊 /", "b": [1, -25.0, True, None, {}]}
    assert root.keys == {"a": (2, 2), "b": (3, 2)}
    assert root.members["b"].items[1].mark == (3, 11)


def test_a_flow_mapping_that_is_no_json_is_yaml() -> None:
    assert read("{a: 1, b: [x, y,],}").value == {"a": 1, "b": ["x", "y"]}


def test_a_document_may_begin_and_end_with_markers() -> None:
    assert read("%YAML 1.2\n---\na: 1\n...\n").value == {"a": 1}


def test_the_place_of_an_expression_in_a_block_is_exact() -> None:
    text = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n- a:\n    set:\n      x: |\n"
    problem = check(text + "        Dear\n          ${ .y | nope }\n").errors[0]
    assert (problem.line, problem.column) == (7, 19)
