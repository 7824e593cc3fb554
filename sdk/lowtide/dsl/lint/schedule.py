"""The schedule (decision A-15)."""

from __future__ import annotations

from lowtide.dsl.lint.cron import explain_cron
from lowtide.dsl.lint.lists import Listed
from lowtide.dsl.problem import Report, one_of
from lowtide.dsl.templates import MARKER
from lowtide.dsl.tree import Node
from lowtide.model.duration import to_millis

__all__ = ["cron", "exactly_one", "positive_interval", "read_needs_on"]

_STARTS = ("every", "cron", "after", "on")


def exactly_one(root: Node, lists: list[Listed], report: Report) -> None:
    schedule = root.get("schedule")
    if schedule is None or not schedule.is_mapping:
        return
    given = [key for key in schedule.members if key in _STARTS]
    if not given:
        report.error(
            root.key_mark("schedule"), "the schedule says no time", f"give it exactly one of {one_of(_STARTS)}"
        )
    for extra in given[1:]:
        report.error(
            schedule.key_mark(extra),
            f"the schedule has '{extra}' besides '{given[0]}', and may have one of {one_of(_STARTS)}",
            "remove one of the two; deploy a second workflow for the other",
        )


def read_needs_on(root: Node, lists: list[Listed], report: Report) -> None:
    schedule = root.get("schedule")
    if schedule is not None and "read" in schedule.members and "on" not in schedule.members:
        report.error(
            schedule.key_mark("read"), "'read' says how events are read, and there is no 'on'", "remove it, or add on:"
        )


def cron(root: Node, lists: list[Listed], report: Report) -> None:
    node = root.get("schedule", "cron")
    if node is not None and node.text is not None:
        for severity, message, mend in explain_cron(node.text):
            (report.error if severity == "error" else report.warn)(node.mark, message, mend)


def positive_interval(root: Node, lists: list[Listed], report: Report) -> None:
    for key in ("every", "after"):
        node = root.get("schedule", key)
        if node is None:
            continue
        mark = node.mark if node.text is not None else (root.get("schedule") or node).key_mark(key)
        if node.text is not None and MARKER in node.text:
            report.error(mark, f"'{key}' of the schedule cannot be computed", "write a fixed duration, such as PT5M")
            continue
        try:
            millis = to_millis(node.value)
        except ValueError:
            continue  # the models have reported it
        if key == "every" and millis < 1_000:
            report.error(mark, "'every' of the schedule is shorter than a second", "write PT1S or more")
