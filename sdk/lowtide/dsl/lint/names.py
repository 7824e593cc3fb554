"""Names: of tasks, of cases, of variables."""

from __future__ import annotations

from lowtide.dsl.keywords import CALLS, DIRECTIVES
from lowtide.dsl.lint.lists import Listed, tasks_of
from lowtide.dsl.normalise.draft import NOTHING
from lowtide.dsl.normalise.scope import KNOWN
from lowtide.dsl.outside.addresses import outside
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Node

__all__ = ["called_functions", "case_names", "duplicate_names", "hidden_variables", "reserved_names"]


def duplicate_names(root: Node, lists: list[Listed], report: Report) -> None:
    for listed in lists:
        first: dict[str, int] = {}
        for entry in listed.entries:
            if entry.name in first:
                report.error(
                    entry.mark,
                    f"a second task '{entry.name}' in the same list, the first is in line {first[entry.name]}",
                    "give one of them another name",
                )
            first.setdefault(entry.name, entry.mark[0])


def reserved_names(root: Node, lists: list[Listed], report: Report) -> None:
    for listed in lists:
        for entry in listed.entries:
            if entry.name in DIRECTIVES:
                report.error(
                    entry.mark,
                    f"'{entry.name}' is a flow directive and cannot be the name of a task",
                    "give the task another name",
                )
            elif not entry.name.strip():
                report.error(entry.mark, "a task has no name", "give it one")


def case_names(root: Node, lists: list[Listed], report: Report) -> None:
    for task in tasks_of(lists, "switch"):
        first: dict[str, int] = {}
        for case in (task.node.get("switch") or NOTHING).entries():
            if case.name in first:
                report.warn(
                    case.mark,
                    f"a second case '{case.name}', the first is in line {first[case.name]}",
                    "give one of them another name",
                )
            first.setdefault(case.name, case.mark[0])


def called_functions(root: Node, lists: list[Listed], report: Report) -> None:
    """An unknown function may be a registered step; one that is nearly known is more likely a slip."""
    functions = list((root.get("use", "functions") or NOTHING).members)
    for task in tasks_of(lists, "call"):
        call = task.node.get("call")
        name = call.text if call is not None else None
        if call is None or name is None or name in CALLS or name in functions or outside(name):
            continue
        if (meant := report.suggest(name, [*functions, *CALLS])) is not None:
            report.warn(
                call.mark,
                f"'{name}' is neither a call of the standard nor in use.functions, so it must be a registered step",
                f"did you mean '{meant}'?",
            )


def hidden_variables(root: Node, lists: list[Listed], report: Report) -> None:
    """A loop or ``catch`` variable with the name of a standard one hides it."""
    paths = (("for", "each"), ("for", "at"), ("foreach", "item"), ("foreach", "at"), ("catch", "as"))
    for listed in lists:
        for task in listed.entries:
            for path in paths:
                node = task.node.get(*path)
                if node is not None and (node.text or "").removeprefix("$") in KNOWN:
                    report.warn(
                        node.mark, f"the variable '{node.text}' hides the standard's own", "give it another name"
                    )
