"""One mistake in a document: where it is, what is wrong and was expected, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lowtide.dsl.tree import Mark

__all__ = ["Problem", "Report", "one_of", "suggest"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """``line`` and ``column`` count from 1. An ``error`` forbids running the document, a ``warning`` does not."""

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}; {self.mend}"


class Report:
    """Gathers the problems of one document, each once, in the order of the text."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[int, int, str], Problem] = {}

    def error(self, mark: Mark, message: str, mend: str) -> None:
        self._add(mark, "error", message, mend)

    def warn(self, mark: Mark, message: str, mend: str) -> None:
        self._add(mark, "warning", message, mend)

    def _add(self, mark: Mark, severity: Literal["error", "warning"], message: str, mend: str) -> None:
        problem = Problem(self.file, mark[0], mark[1], severity, message, mend)
        self._found.setdefault((*mark, message), problem)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._found.values(), key=lambda found: (found.line, found.column)))

    @property
    def failed(self) -> bool:
        return any(found.severity == "error" for found in self._found.values())


def suggest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that ``wrong`` was most likely meant to be."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    if wrong.casefold() in folded:
        return folded[wrong.casefold()]
    cutoff = 0.6 if len(wrong) > 3 else 0.5  # in a word of two letters, one wrong one is half of it
    close = difflib.get_close_matches(wrong.casefold(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """``a, b or c``: the names for a sentence, shortened when there are many."""
    listed = list(names)
    if len(listed) > limit:
        return ", ".join(listed[:limit]) + f" (and {len(listed) - limit} more)"
    if len(listed) < 2:
        return "".join(listed)
    return ", ".join(listed[:-1]) + " or " + listed[-1]
