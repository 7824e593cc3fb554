"""Gherkin, as much of it as conformance needs: features, backgrounds, scenarios, outlines, documents, tables.

    for scenario in read(path):
        for step in scenario.steps: ...

A line that is none of these is an error: a misspelt step must not become a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["BadFeature", "Scenario", "Step", "read"]

_STEP = re.compile(r"(Given|When|Then|And|But)\s+(.*)")
_BAR = re.compile(r"(?<!\\)\|")
_TITLE = re.compile(r"(Feature|Background|Scenario|Scenario Outline|Example|Examples):\s*(.*)")


class BadFeature(Exception):
    """A feature file cannot be read; ``str(error)`` names the file and the line."""


@dataclass(frozen=True)
class Step:
    """One line with what hangs on it: ``document`` is the text between its triple quotes, ``rows`` its table."""

    text: str
    line: int
    document: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()

    def filled(self, values: dict[str, str]) -> Step:
        return replace(self, text=_fill(self.text, values), document=self.document and _fill(self.document, values))


@dataclass(frozen=True)
class Scenario:
    feature: str
    name: str
    line: int
    steps: tuple[Step, ...]
    tags: frozenset[str] = frozenset()


@dataclass
class _Draft:
    """A block that is being read; ``examples`` are the rows of an outline's tables, heads included."""

    kind: str
    name: str
    line: int
    tags: frozenset[str]
    steps: list[Step] = field(default_factory=list)
    examples: list[list[tuple[str, ...]]] = field(default_factory=list)


def read(path: Path) -> list[Scenario]:
    """The scenarios of a file; an outline gives one for each row of its examples."""
    feature, drafts = _blocks(path)
    background = [step for draft in drafts if draft.kind == "Background" for step in draft.steps]
    return [made for draft in drafts if draft.kind != "Background" for made in _scenarios(feature, draft, background)]


def _scenarios(feature: str, draft: _Draft, background: list[Step]) -> Iterator[Scenario]:
    steps = (*background, *draft.steps)
    if not draft.examples:
        yield Scenario(feature, draft.name, draft.line, steps, draft.tags)
    for head, *rows in draft.examples:
        for row in rows:
            values = dict(zip(head, row, strict=True))
            filled = tuple(step.filled(values) for step in steps)
            name = f"{draft.name} ({', '.join(row)})" if draft.name == _fill(draft.name, values) else draft.name
            yield Scenario(feature, _fill(name, values), draft.line, filled, draft.tags)


def _blocks(path: Path) -> tuple[str, list[_Draft]]:
    feature, drafts, tags = path.stem, list[_Draft](), set[str]()
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("@"):
            tags |= {tag.removeprefix("@") for tag in text.split()}
            continue
        title, step = _TITLE.fullmatch(text), _STEP.fullmatch(text)
        if title is not None and title[1] == "Feature":
            feature = title[2]
        elif title is not None and title[1] == "Examples":
            drafts[-1].examples.append([])
        elif title is not None:
            drafts.append(_Draft(title[1], title[2], number, frozenset(tags)))
            tags = set()
        elif not drafts:
            continue  # the feature's own words
        elif step is not None:
            drafts[-1].steps.append(Step(step[2], number))
        elif text.startswith('"""'):
            drafts[-1].steps[-1] = replace(drafts[-1].steps[-1], document=_document(lines, line))
        elif text.startswith("|"):
            row = tuple(cell.strip().replace(r"\|", "|") for cell in _BAR.split(text.strip("|")))
            _take_row(drafts[-1], row)
        else:
            raise BadFeature(f"{path.name}:{number}: this is no step, title or table: {text}")
    return feature, drafts


def _document(lines: Iterator[tuple[int, str]], opening: str) -> str:
    indent = len(opening) - len(opening.lstrip())
    kept: list[str] = []
    for _, line in lines:
        if line.strip() == '"""':
            return "\n".join(kept) + "\n"
        kept.append(line[min(indent, len(line) - len(line.lstrip())) :])
    raise BadFeature(f"a document that begins with {opening.strip()} is never closed")


def _take_row(draft: _Draft, row: tuple[str, ...]) -> None:
    if draft.examples:
        draft.examples[-1].append(row)
    else:
        step = draft.steps[-1]
        draft.steps[-1] = replace(step, rows=(*step.rows, row))


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text
