"""What came of checking a document."""

from __future__ import annotations

from dataclasses import dataclass, field

from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.problem import Problem
from lowtide.model.plan import Plan

__all__ = ["Checked"]


@dataclass(frozen=True, slots=True)
class Checked:
    """``plan`` is ``None`` when there is an error; ``problems`` stand in the order of the text.

    ``draft`` is what the plan was made from; what it refers to outside is not in the plan before it was pinned.
    """

    plan: Plan | None
    problems: tuple[Problem, ...]
    draft: Draft | None = field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "warning")

    @property
    def refers_outside(self) -> bool:
        return self.draft is not None and bool(self.draft.references)
