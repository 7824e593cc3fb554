"""From a checked document that refers to things outside itself to one whose plan holds them, without any I/O.

    pinning = Pinning(checked)
    while pinning.needs:
        pinning.give({need: Found(...) or Refused(...) for need in pinning.needs})
    checked = pinning.result()

Functions may name further functions, so that there are rounds; their number, and that of what is fetched, is bounded.
Every mistake is reported at the place of the workflow that led to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from lowtide.dsl.checked import Checked
from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.workflow import make_plan
from lowtide.dsl.outside.functions import function_task, read_function
from lowtide.dsl.outside.references import Found, Need, Origin, Reference, Refused
from lowtide.dsl.outside.schemas import read_schema
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Mark
from lowtide.model.base import JSON

__all__ = ["DEEPEST", "MOST", "MOST_BYTES", "Pinning"]

MOST: Final = 100
"""How many things one workflow may refer to, its functions' own included."""

DEEPEST: Final = 10
"""How many rounds it takes at most: a function that names a function that names a schema takes three."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""All content together: it travels in every dispatch."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """``mark`` is the workflow's place that led here, ``caller`` the function that named it (none: the workflow)."""

    reference: Reference
    mark: Mark
    caller: str

    @property
    def shown(self) -> str:
        inside = f", which {self.caller} names," if self.caller else ""
        return f"the {self.reference.kind} {self.reference.name}{inside}"


class Pinning:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._answers: dict[Need, Found | Refused] = {}
        self._open: dict[Need, list[_Wish]] = {}
        self._schemas: dict[Need, JSON] = {}
        self._broken: dict[Need, Report] = {}
        self._functions: dict[str, Draft] = {}
        self._calls: dict[str, list[str]] = {}
        self._marks: dict[str, Mark] = {}
        self._rounds = 0
        self._bytes = 0
        if checked.draft is not None and checked.plan is not None:
            for reference in checked.draft.references:
                self._want(_Wish(reference, reference.mark, ""))

    @property
    def needs(self) -> tuple[Need, ...]:
        """What to fetch now; empty when there is nothing more."""
        return tuple(self._open)

    def give(self, answers: Mapping[Need, Found | Refused]) -> None:
        """The answers to :attr:`needs`, all of them."""
        asked, self._open = self._open, {}
        self._rounds += 1
        for need in asked:
            answer = answers[need]
            if isinstance(answer, Found):
                self._bytes += len(answer.body)
                if self._bytes > MOST_BYTES:
                    answer = Refused(
                        f"is more than there is room for: a workflow may hold {MOST_BYTES // 1024 // 1024} MiB of it",
                        "refer to less, or to smaller documents",
                    )
            self._answers[need] = answer
        for need, wishes in asked.items():
            for wish in wishes:
                self._take(wish, self._answers[need])

    def result(self) -> Checked:
        """The document with a plan that holds all content; without a plan, and with every mistake, where one is."""
        draft = self._checked.draft
        if draft is None or not draft.references or self._checked.plan is None:
            return self._checked
        self._refuse_circles(draft.report)
        if draft.report.failed:
            return Checked(None, draft.report.problems, draft)
        again = Draft(draft.root, draft.source, Report(draft.report.file), pinned=self._schemas)
        plan = make_plan(again)
        functions = {name: function_task(one, self._schemas) for name, one in self._functions.items()}
        plan = msgspec.structs.replace(plan, functions={**functions, **plan.functions})
        return Checked(plan, draft.report.problems, draft)

    def _error(self, mark: Mark, message: str, mend: str) -> None:
        assert self._checked.draft is not None
        self._checked.draft.report.error(mark, message, mend)

    def _want(self, wish: _Wish) -> None:
        need = wish.reference.need
        if wish.reference.kind == "function":
            self._calls.setdefault(wish.caller, []).append(wish.reference.name)
            self._marks.setdefault(wish.reference.name, wish.mark)
        if need in self._answers:
            self._take(wish, self._answers[need])
        elif need in self._open:
            self._open[need].append(wish)
        elif self._rounds >= DEEPEST:
            self._error(wish.mark, f"{wish.shown} stands more than {DEEPEST} references deep", "call it more directly")
        elif len(self._answers) + len(self._open) >= MOST:
            self._error(wish.mark, f"the workflow refers to more than {MOST} things outside itself", "split it up")
        else:
            self._open[need] = [wish]

    def _take(self, wish: _Wish, answer: Found | Refused) -> None:
        if isinstance(answer, Refused):
            self._error(wish.mark, f"{wish.shown} {answer.message}", answer.mend)
        elif wish.reference.kind == "schema":
            self._take_schema(wish, answer)
        elif wish.reference.name not in self._functions:
            self._take_function(wish, answer)

    def _take_schema(self, wish: _Wish, found: Found) -> None:
        need = wish.reference.need
        if need not in self._broken:
            report = self._broken[need] = Report(found.uri)
            self._schemas[need] = read_schema(found, report)
        self._tell(wish, self._broken[need])

    def _take_function(self, wish: _Wish, found: Found) -> None:
        assert self._checked.draft is not None
        name, report = wish.reference.name, Report(found.uri)
        origin = Origin(wish.reference.need, found.uri, self._checked.draft.catalogs)
        draft = read_function(found, origin, report)
        if draft is not None:
            self._functions[name] = draft
        self._tell(wish, report)
        for reference in draft.references if draft is not None and not report.failed else ():
            self._want(_Wish(reference, wish.mark, name))

    def _tell(self, wish: _Wish, report: Report) -> None:
        for problem in report.problems:
            if problem.severity == "error":
                where = f"{problem.file}:{problem.line}:{problem.column}"
                self._error(wish.mark, f"{wish.shown} is wrong at {where}: {problem.message}", problem.mend)

    def _refuse_circles(self, report: Report) -> None:
        """A function that leads back to itself has no end that could be seen before it runs."""
        done: set[str] = set()

        def follow(name: str, trail: tuple[str, ...]) -> None:
            if name in trail:
                circle = " → ".join((*trail[trail.index(name) :], name))
                report.error(
                    self._marks[name], f"functions call each other in a circle: {circle}", "break it in one of them"
                )
            elif name not in done:
                for called in self._calls.get(name, ()):
                    follow(called, (*trail, name))
                done.add(name)

        for name in self._calls.get("", ()):
            follow(name, ())
