"""Tidy is a test: sizes, names, owners, and exported names that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

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


def test_files_are_short() -> None:
    long = [f"{_claim(path)}: {lines}" for path in _sources() if (lines := _text(path).count("\n")) > _LONGEST_FILE]
    assert not long, f"split them, above {_LONGEST_FILE} lines one loses the view"


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{_claim(path)}:{node.lineno} {node.name}: {length}"
        for path in _sources()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > _LONGEST_FUNCTION
    ]
    assert not long, f"split them, {_LONGEST_FUNCTION} lines are the limit"


def test_modules_are_named_after_what_they_hold() -> None:
    names = {path: path.parent.name if path.stem == "__init__" else path.stem for path in _sources()}
    vague = [_claim(path) for path, name in names.items() if _VAGUE.search(name)]
    assert not vague, "these names say nothing"


def test_what_is_left_to_do_has_an_owner() -> None:
    orphans = [
        f"{_claim(path)}:{number}"
        for path in _sources()
        for number, line in enumerate(_text(path).splitlines(), 1)
        if _TO_DO.search(line)
    ]
    assert not orphans, "do it, or name who will"


def test_every_exported_name_exists_once() -> None:
    wrong = []
    for path in _sources():
        tree = _tree(path)
        exported = [name for names in _exports(tree) for name in names]
        if not set(exported) <= set(_defined(tree.body)) or len(exported) != len(set(exported)):
            wrong.append(_claim(path))
    assert not wrong, "what __all__ names must be there"


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


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
