"""Tidy is a test: sizes, names, owners, and exported names that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("sdk", "functions", "analytics_api", "knative", "tests", "benchmarks", "examples")
_GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
_VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc)$")
# Written in two parts, so that this file does not find itself.
_TO_DO = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\([a-z][\w.-]*\):)")

_LONGEST_FILE = 400
_LONGEST_FUNCTION = 60


def _sources() -> list[Path]:
    found = (path for folder in _FOLDERS for path in (_ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not _GENERATED.search(path.name) and ".venv" not in path.parts)


def _claim(path: Path) -> str:
    return str(path.relative_to(_ROOT))


_each_source = pytest.mark.parametrize("path", _sources(), ids=_claim)


@_each_source
def test_a_file_is_short_and_its_functions_fit_on_a_screen(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= _LONGEST_FILE, f"split it: above {_LONGEST_FILE} lines one loses the view"
    long = [
        f"{node.name} (line {node.lineno}): {length} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > _LONGEST_FUNCTION
    ]
    assert not long, f"split them, {_LONGEST_FUNCTION} lines are the limit: {long}"


@_each_source
def test_a_module_is_named_after_what_it_holds(path: Path) -> None:
    name = path.parent.name if path.stem == "__init__" else path.stem
    assert not _VAGUE.search(name), f"{name} says nothing; name it after what it holds"


@_each_source
def test_what_is_left_to_do_has_an_owner(path: Path) -> None:
    lines = [number for number, line in enumerate(path.read_text().splitlines(), 1) if _TO_DO.search(line)]
    assert not lines, f"lines {lines}: do it, or name who will"


@_each_source
def test_every_exported_name_exists(path: Path) -> None:
    tree = ast.parse(path.read_text())
    exported = [name for names in _exports(tree) for name in names]
    assert set(exported) <= set(_defined(tree.body)) | {"*"}, "what __all__ names must be there"
    assert len(exported) == len(set(exported))


def _exports(tree: ast.Module) -> Iterator[list[str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            yield ast.literal_eval(node.value)


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Assign():
                yield from (name.id for name in ast.walk(node) if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name() as name):
                yield name.id
            case ast.If() | ast.Try():
                yield from _defined(node.body)
            case _:
                pass
