"""Calls and processes: how long they may take, methods, languages."""

from __future__ import annotations

from typing import Final

from lowtide.dsl.keywords import keyword_of
from lowtide.dsl.lint.lists import Listed, tasks_of
from lowtide.dsl.normalise.draft import NOTHING
from lowtide.dsl.problem import Report, one_of
from lowtide.dsl.templates import MARKER
from lowtide.dsl.tree import Mark, Node
from lowtide.model.duration import to_millis, write

__all__ = ["BUDGET", "backoff_options", "call_timeouts", "http_methods", "script_languages"]

BUDGET: Final = 240_000
"""Milliseconds that an invocation has by default: a call that may take longer does not fit in (decision A-12)."""

_METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "trace", "connect")
_LANGUAGES: Final = ("js", "javascript", "python")
_BACKOFF: Final = ("multiplier", "increment", "maxDelay")


def call_timeouts(root: Node, lists: list[Listed], report: Report) -> None:
    timeouts = root.get("use", "timeouts") or NOTHING
    for task in tasks_of(lists, "call"):
        timeout = task.node.get("timeout")
        if timeout is not None and timeout.text is not None:
            named = timeouts.get(timeout.text, "after")
            _fits(named, timeout.mark, report)
        elif timeout is not None:
            _fits(timeout.get("after"), timeout.key_mark("after"), report)
        own = task.node.get("with", "timeout")
        if task.node.value.get("call") == "mcp":
            _fits(own, (task.node.get("with") or NOTHING).key_mark("timeout"), report)


def _fits(after: Node | None, mark: Mark, report: Report) -> None:
    if after is None:
        return
    try:
        millis = to_millis(after.value)
    except ValueError:
        return  # an expression, or the models have reported it
    if millis > BUDGET:
        report.warn(
            mark,
            f"the call may take {write(millis)}, and an invocation has {write(BUDGET)}",
            "give it less time, or start the work with a short call and listen for an event that ends it",
        )


def http_methods(root: Node, lists: list[Listed], report: Report) -> None:
    for task in tasks_of(lists, "call"):
        method = task.node.get("with", "method")
        if task.node.value.get("call") != "http" or method is None or method.text is None or MARKER in method.text:
            continue
        if method.text.casefold() not in _METHODS:
            meant = report.suggest(method.text, _METHODS)
            report.warn(
                method.mark,
                f"'{method.text}' is no usual HTTP method",
                f"did you mean '{meant}'?" if meant else f"usual are {one_of(_METHODS)}",
            )


def script_languages(root: Node, lists: list[Listed], report: Report) -> None:
    for task in tasks_of(lists, "run"):
        language = task.node.get("run", "script", "language")
        if language is not None and language.text is not None and language.text not in _LANGUAGES:
            meant = report.suggest(language.text, _LANGUAGES)
            mend = f"did you mean '{meant}'?" if meant else "write js or python"
            report.warn(language.mark, f"scripts in '{language.text}' cannot be run", mend)


def backoff_options(root: Node, lists: list[Listed], report: Report) -> None:
    """The standard leaves the backoff objects open: keys that nobody reads are allowed, and most often slips."""
    policies = list((root.get("use", "retries") or NOTHING).members.values())
    for listed in lists:
        policies += [
            policy
            for task in listed.entries
            if keyword_of(task.node.value) == "try" and (policy := task.node.get("catch", "retry")) is not None
        ]
    for policy in policies:
        for options in (policy.get("backoff") or NOTHING).members.values():
            for key, mark in options.keys.items():
                if key not in _BACKOFF:
                    meant = report.suggest(key, _BACKOFF) or ("multiplier" if key == "factor" else None)
                    mend = f"did you mean '{meant}'?" if meant else f"remove it, or use {one_of(_BACKOFF)}"
                    report.warn(mark, f"'{key}' means nothing in a backoff", mend)
