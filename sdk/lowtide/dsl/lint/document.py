"""The document as a whole: its language, keys without a value, definitions that nobody uses."""

from __future__ import annotations

from typing import Final

from lowtide.dsl.keywords import BASE, TASKS
from lowtide.dsl.lint.lists import Listed
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Node
from lowtide.model.ours import DURABILITIES, retain_of

__all__ = ["empty_values", "evaluate_language", "our_choices", "retention", "unused_definitions"]

LEVELS: Final = ("none", "workflow", "task", "all")
"""What ``lowtide.wire.types.Level`` allows; a test holds the two together."""


def evaluate_language(root: Node, lists: list[Listed], report: Report) -> None:
    language = root.get("evaluate", "language")
    if language is not None and language.text is not None and language.text != "jq":
        report.error(
            language.mark, f"expressions in '{language.text}' cannot be evaluated", "write language: jq, or remove it"
        )


def our_choices(root: Node, lists: list[Listed], report: Report) -> None:
    """``lifecycle`` (decision A-18) and ``durability`` (A-24) of ``document.metadata.lowtide``: these are ours."""
    for member, choices in (("lifecycle", LEVELS), ("durability", DURABILITIES)):
        chosen = root.get("document", "metadata", "lowtide", member)
        if chosen is not None and chosen.value not in choices:
            report.error(
                chosen.mark,
                f"'{str(chosen.value)[:40]}' is none of {', '.join(choices)}",
                "write one of them, or remove the key",
            )


def retention(root: Node, lists: list[Listed], report: Report) -> None:
    """``retain`` of ``document.metadata.lowtide`` (decision A-25): how long executions are kept after their end."""
    found = root.get("document", "metadata", "lowtide", "retain")
    try:
        retain_of(root.value)
    except ValueError as error:
        assert found is not None
        message, _, mend = str(error).partition("; ")
        report.error(found.mark, message, mend)


def empty_values(root: Node, lists: list[Listed], report: Report) -> None:
    """A key with nothing behind it is not the same as no key: most often something got lost."""
    keys = ("input", "use", "timeout", "output", "schedule", "evaluate")
    _empty(root, keys, report)
    for group in ("use", "schedule", "evaluate"):
        inner = root.get(group) or NOTHING
        _empty(inner, tuple(inner.members), report)
    for listed in lists:
        for task in listed.entries:
            _empty(task.node, (*BASE, *TASKS, "with", "while", "foreach", "catch"), report)


def _empty(node: Node, keys: tuple[str, ...], report: Report) -> None:
    for key in keys:
        child = node.members.get(key)
        if child is not None and child.value is None:
            report.error(node.key_mark(key), f"'{key}' has no value", "give it one, or remove the key")


def unused_definitions(draft: Draft, report: Report) -> None:
    """Functions are left out: a catalog or a catalogued function may know them."""
    for group in ("authentications", "errors", "retries", "timeouts"):
        definitions = draft.use.get(group) or NOTHING
        for name, mark in definitions.keys.items():
            if (group, name) not in draft.used:
                report.warn(mark, f"nothing uses '{name}' of use.{group}", "remove it, or refer to it")
