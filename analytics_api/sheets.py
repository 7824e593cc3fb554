"""Tables as text: CSV that no spreadsheet computes, and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["as_csv", "as_markdown", "inert"]


def inert(value: Any) -> Any:
    """A spreadsheet takes a text that begins like a formula for one, and who starts a workflow chooses its texts."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_csv(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """As RFC 4180 has it. ``None`` is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return text.getvalue()


def as_markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Numbers stand at the right: in columns all of whose cells begin with a digit or a sign."""
    cells = [[_escaped(cell) for cell in row] for row in rows]
    rules = ["--:" if _numeric([row[place] for row in cells]) else "---" for place in range(len(headings))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rules, *cells))


def _escaped(cell: str) -> str:
    # A name may be anything: it is shown as it is, and makes neither a column nor a line, nor a tag.
    shown = " ".join(cell.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "\\`*_[]|" else letter for letter in shown)


def _numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(cell.lstrip("-")[:1].isdigit() for cell in cells)
