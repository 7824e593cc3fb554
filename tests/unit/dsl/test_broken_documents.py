"""Every document in ``broken/`` says in its first lines what is wrong with it: ``# line:column | message | mend``."""

from pathlib import Path

import pytest

from lowtide.dsl import check, plan
from lowtide.errors import InvalidDocument

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


def expectations(text: str) -> list[tuple[str, str, str]]:
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ") and " | " in line]
    return [(parts[0], parts[1], parts[2]) for parts in (line.split(" | ") for line in lines)]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_document_says_where_it_is_wrong_and_how_to_mend_it(path: Path) -> None:
    text = path.read_text()
    wanted = expectations(text)
    found = check(text, path.name)
    assert found.plan is None
    assert len(found.errors) == len(wanted), "\n".join(map(str, found.errors))
    for (place, message, mend), problem in zip(wanted, sorted(found.errors), strict=True):
        assert f"{problem.line}:{problem.column}" == place, str(problem)
        assert message in problem.message
        assert mend in problem.mend
        assert str(problem) == f"{path.name}:{place}: {problem.message}; {problem.mend}"


def test_there_are_more_than_a_hundred_of_them() -> None:
    assert len(BROKEN) > 100


def test_one_document_with_five_mistakes_reports_all_five() -> None:
    text = (Path(__file__).parent / "broken" / "five-mistakes.yaml").read_text()
    with pytest.raises(InvalidDocument) as refused:
        plan(text, "five.yaml")
    assert [line.split(":")[1] for line in refused.value.problems] == ["7", "12", "14", "17", "19"]


@pytest.mark.parametrize(
    ("text", "place", "message", "mend"),
    [
        ("", "1:1", "the document is empty", "document:"),
        ("   \n# nothing\n", "1:1", "the document is empty", "document:"),
        ("null\n", "1:1", "the document is empty", "document:"),
        ("- a\n- b\n", "1:1", "not a mapping", "left margin"),
        ("just text", "1:1", "not a mapping", "left margin"),
        (b"a: caf\xe9\n", "1:7", "0xE9", "UTF-8"),
        (b"do: x\na: \xff\n", "2:4", "0xFF", "UTF-8"),
        ("a: \x00\n", "1:4", "U+0000", "remove it"),
        ("a: b\nc: \x07\n", "2:4", "U+0007", "remove it"),
        ("x" * (4 * 1024 * 1024 + 1), "1:1", "larger than 4 MiB", "split"),
        ('{"document": {"dsl": "1.0.3"', "1:29", "is expected here", "close the bracket"),
        ('{"do": 5 "use": 1}', "1:10", "',' or '}' is expected", "commas"),
        ('{"do": tru, "a" "b"}', "1:8", "a JSON value is expected", "true, false"),
        ('{"do": "a\nb", "a" "b"}', "1:10", "not a JSON string", "\\n"),
        ('{"do": "\\ud83d"}', "1:16", "surrogate", "both halves"),
        ('{"do": 1} x', "1:11", "after the end", "remove it"),
        ('{\n "do": [],\n "do": []\n}', "3:2", "stands here twice, first in line 2", "rename"),
        ("[" * 5000, "1:101", "nested too deeply", "at most 100"),
        ("a: " + "[" * 5000, "1:103", "nested too deeply", "at most 100"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_place(text: str | bytes, place: str, message: str, mend: str) -> None:
    problems = [problem for problem in check(text).errors if f"{problem.line}:{problem.column}" == place]
    assert any(message in problem.message and mend in problem.mend for problem in problems), check(text).errors


def test_aliases_that_blow_a_document_up_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problem = check("\n".join(lines)).errors[0]
    assert "too many values" in problem.message
    assert problem.line == 6


def test_aliases_that_build_a_tower_are_refused() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 150)]
    assert "nest too deeply" in check("\n".join(lines)).errors[0].message
