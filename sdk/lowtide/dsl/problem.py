"""One mistake in a document: where it is, what is wrong and was expected, and how to mend it."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from lowtide.dsl.tree import Mark

__all__ = ["LIMIT", "Problem", "Report", "one_of", "suggest"]


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


LIMIT: Final = 500
"""How many problems one document may have before the rest is only counted."""

_SUGGESTIONS: Final = 200
_CANDIDATES: Final = 1_000
_LONGEST_NAME: Final = 64


class Report:
    """Gathers the problems of one document, each once, in the order of the text.

    Everything is bounded, since documents come from strangers: problems, suggestions, and the names compared.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.failed = False
        self._found: dict[tuple[int, int, str], Problem] = {}
        self._dropped = 0
        self._suggestions = _SUGGESTIONS

    @property
    def full(self) -> bool:
        return len(self._found) >= LIMIT

    def error(self, mark: Mark, message: str, mend: str) -> None:
        self.failed = True
        self._add(mark, "error", message, mend)

    def warn(self, mark: Mark, message: str, mend: str) -> None:
        self._add(mark, "warning", message, mend)

    def suggest(self, wrong: str, known: Iterable[str]) -> str | None:
        """The known name that ``wrong`` was most likely meant to be."""
        if self._suggestions <= 0:
            return None
        self._suggestions -= 1
        return suggest(wrong, known)

    def _add(self, mark: Mark, severity: Literal["error", "warning"], message: str, mend: str) -> None:
        problem = Problem(self.file, mark[0], mark[1], severity, message, mend)
        key = (*mark, message)
        if self.full and key not in self._found:
            self._dropped += 1
        else:
            self._found.setdefault(key, problem)

    @property
    def problems(self) -> tuple[Problem, ...]:
        found = sorted(self._found.values(), key=lambda problem: (problem.line, problem.column))
        if self._dropped:
            found.append(self._rest(found[-1]))
        return tuple(found)

    def _rest(self, last: Problem) -> Problem:
        severity: Literal["error", "warning"] = "error" if self.failed else "warning"
        message = f"there are {self._dropped} more problems"
        return Problem(self.file, last.line, last.column, severity, message, "mend these first")


def suggest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that is closest to ``wrong``, when one is close; long names and long lists are not searched."""
    word = wrong.casefold()
    if len(word) > _LONGEST_NAME:
        return None
    near = (name for name in known if abs(len(name) - len(word)) <= max(2, len(word) // 2))
    folded = {name.casefold(): name for name in itertools.islice(near, _CANDIDATES)}
    if word in folded:
        return folded[word]
    cutoff = 0.6 if len(word) > 3 else 0.5  # in a word of two letters, one wrong one is half of it
    close = difflib.get_close_matches(word, folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """``a, b or c``: the names for a sentence, shortened when there are many."""
    listed = list(names)
    if len(listed) > limit:
        return ", ".join(listed[:limit]) + f" (and {len(listed) - limit} more)"
    if len(listed) < 2:
        return "".join(listed)
    return ", ".join(listed[:-1]) + " or " + listed[-1]
