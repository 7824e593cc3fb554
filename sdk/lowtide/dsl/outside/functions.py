"""A function's own document: one task, checked by all the rules of a workflow's tasks.

It is read as the only member of ``use.functions`` of a workflow that has nothing else. So it sees nothing of the
workflow that calls it: no secrets, and nothing of ``use`` but the catalogs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lowtide.dsl.lint import lint
from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.normalise.workflow import make_plan
from lowtide.dsl.outside.references import Found, Need, Origin
from lowtide.dsl.outside.text import read
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Node
from lowtide.dsl.validate import validate
from lowtide.model.base import JSON
from lowtide.model.plan import Task

__all__ = ["function_task", "read_function"]

_NAME: Final = "function"
_BEGIN: Final = "a function is one task, such as: run: …, below an optional input: and output:"


def read_function(found: Found, origin: Origin, report: Report) -> Draft | None:
    """The draft of a function's document, or ``None`` where it cannot be read; mistakes go to ``report``."""
    text = read(found, report, _BEGIN)
    if text is None:
        return None
    root, source = text
    if "document" in root.members and "do" in root.members:
        report.error(root.key_mark("document"), "this is a workflow, not a function", "run it: run: {workflow: …}")
        return None
    wrapped = _wrapped(root)
    validate(wrapped, report)
    draft = Draft(wrapped, source, report, origin=origin)
    make_plan(draft)
    lint(draft, report)
    return draft


def function_task(draft: Draft, pinned: Mapping[Need, JSON]) -> Task:
    """The function as a task of the plan, with the schemas that were fetched for it."""
    again = Draft(draft.root, draft.source, Report(draft.report.file), origin=draft.origin, pinned=pinned)
    return make_plan(again).functions[_NAME]


def _wrapped(root: Node) -> Node:
    head = {"dsl": "1.0.3", "namespace": "functions", "name": "function", "version": "1.0.0"}
    document = _mapping({key: Node(value, (1, 1)) for key, value in head.items()})
    functions = _mapping({_NAME: root})
    return _mapping({"document": document, "use": _mapping({"functions": functions}), "do": Node([], (1, 1))})


def _mapping(members: dict[str, Node]) -> Node:
    made = Node({name: child.value for name, child in members.items()}, (1, 1))
    made.members.update(members)
    made.keys.update(dict.fromkeys(members, (1, 1)))
    return made
