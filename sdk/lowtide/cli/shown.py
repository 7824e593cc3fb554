"""What goes to stdout: JSON (indented for people, compact for programs) and tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lowtide.cli import exits
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["MARKS", "examples", "show_json", "show_page", "show_table"]

MARKS: Final = {
    "running": "›",
    "pending": "›",
    "waiting": "◌",
    "suspended": "◌",
    "retried": "↻",
    "skipped": "-",
    "cancelled": "⊘",
    "faulted": "✗",
    "completed": "✓",
}
"""A character for each status of a task, and each phase of an execution."""


def show_json(value: JSON) -> None:
    """Indented where stdout is a terminal, else one compact line."""
    encoded = json.encode(value)
    if sys.stdout.isatty():
        encoded = msgspec.json.format(encoded, indent=2)
    print(encoded.decode())


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    for row in [headings, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_page(page: dict[str, JSON], columns: Mapping[str, str | Callable[[Any], str]], *, as_json: bool) -> None:
    """A page of a list. ``columns``: each heading with the member that stands below it, or what makes its cell."""
    if as_json:
        show_json(page)
        return
    rows = [
        tuple(_cell(item.get(cell)) if isinstance(cell, str) else cell(item) for cell in columns.values())
        for item in page["items"]
    ]
    show_table(tuple(columns), rows)
    if page.get("next"):
        exits.say(f"there are more: --cursor {page['next']}")


def _cell(value: JSON) -> str:
    return "" if value is None else str(value)


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
