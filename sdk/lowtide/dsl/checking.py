"""The verbs of this package: ``check`` and ``plan``."""

from __future__ import annotations

from lowtide.dsl.checked import Checked
from lowtide.dsl.lint import lint
from lowtide.dsl.load import load
from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.workflow import make_plan
from lowtide.dsl.problem import Report
from lowtide.dsl.source import BadText, Source
from lowtide.dsl.validate import validate
from lowtide.errors import InvalidDocument
from lowtide.model.plan import Plan

__all__ = ["check", "plan"]


def check(text: str | bytes, name: str = "workflow.yaml") -> Checked:
    """Reads a document (YAML 1.2 or JSON) and finds all its mistakes. Never raises for what the text holds.

    ``name`` is the file's name in the problems.
    """
    report = Report(name)
    try:
        source = Source(text)
    except BadText as error:
        report.error(error.mark, error.message, error.mend)
        return Checked(None, report.problems)
    root = load(source, report)
    if root is None:
        return Checked(None, report.problems)
    validate(root, report)
    draft = Draft(root, source, report)
    made = make_plan(draft)
    lint(draft, report)
    return Checked(None if report.failed else made, report.problems, draft)


def plan(text: str | bytes, name: str = "workflow.yaml") -> Plan:
    """The plan of a document. Raises :class:`lowtide.errors.InvalidDocument` with one line for each mistake."""
    checked = check(text, name)
    if checked.plan is None:
        raise InvalidDocument([str(found) for found in checked.errors])
    return checked.plan
