"""Events: filters, what ``any`` consumes, the attributes of what is emitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lowtide.dsl.lint.lists import Listed, tasks_of
from lowtide.dsl.normalise.draft import NOTHING
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Node

__all__ = ["attribute_names", "endless_foreach", "filter_patterns"]

_ATTRIBUTE: Final = re.compile(r"[a-z0-9]+")
_REGEX: Final = "regex:"


def _filters(root: Node, lists: list[Listed]) -> Iterator[Node]:
    """Every event filter of the document."""
    strategies = [root.get("schedule", "on")]
    strategies += [task.node.get("listen", "to") for task in tasks_of(lists, "listen")]
    for strategy in strategies:
        for owner in (strategy, strategy.get("until") if strategy is not None else None):
            if owner is None:
                continue
            one = owner.get("one")
            yield from [one] if one is not None else []
            for key in ("all", "any"):
                yield from (owner.get(key) or NOTHING).items


def filter_patterns(root: Node, lists: list[Listed], report: Report) -> None:
    for filter_ in _filters(root, lists):
        for node in (filter_.get("with") or NOTHING).members.values():
            if node.text is not None and node.text.startswith(_REGEX):
                try:
                    re.compile(node.text.removeprefix(_REGEX))
                except (re.error, OverflowError, RecursionError) as error:
                    report.error(node.mark, f"the pattern is no regular expression: {error}", "mend the pattern")


def attribute_names(root: Node, lists: list[Listed], report: Report) -> None:
    """CloudEvents allow lower-case letters and digits alone in the names of attributes."""
    for filter_ in _filters(root, lists):
        _names(filter_.get("with") or NOTHING, report, "so that no event has it")
    for task in tasks_of(lists, "emit"):
        _names(task.node.get("emit", "event", "with") or NOTHING, report, "so that no broker takes it")


def _names(attributes: Node, report: Report, consequence: str) -> None:
    for name, mark in attributes.keys.items():
        if not _ATTRIBUTE.fullmatch(name):
            plain = re.sub("[^a-z0-9]", "", name.casefold())
            report.error(
                mark,
                f"'{name}' is not the name of a CloudEvents attribute, {consequence}",
                f"use lower-case letters and digits: {plain or 'orderid'}",
            )


def endless_foreach(root: Node, lists: list[Listed], report: Report) -> None:
    """``any`` without ``until`` ends with its first event: a ``foreach`` over it runs once."""
    for task in tasks_of(lists, "listen"):
        strategy = task.node.get("listen", "to")
        if strategy is None or "any" not in strategy.members or "until" in strategy.members:
            continue
        if "foreach" in task.node.members:
            report.warn(
                task.node.key_mark("foreach"),
                "'any' without 'until' ends with its first event, so 'foreach' runs once",
                "add until: '${ false }' to listen for ever, or a condition",
            )
