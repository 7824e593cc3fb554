"""Whether a CloudEvent matches a filter (decisions A-13 and A-14). The engine and orchestrate use the same rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from lowtide.engine.host import ExpressionFailed, Host
from lowtide.model.base import JSON, Millis
from lowtide.model.command import AwaitFilter

__all__ = ["correlation_values", "is_asked", "matches"]

_REGEX: Final = "regex:"
_REPETITION: Final = re.compile(r"[*+{]")


def matches(
    event_filter: AwaitFilter,
    event: dict[str, JSON],
    host: Host,
    *,
    now: Millis,
    known: Mapping[str, JSON] | None = None,
) -> bool:
    """Whether ``event`` (JSON form) passes the filter and its correlation.

    ``known`` are expectations by key that were learnt from events before; a filter's own ``expect`` goes first.
    An expression that fails on this event is no match: other people's events must not fault a workflow.
    """
    for name, wanted in event_filter.with_.items():
        if name not in event:
            return False
        pattern = wanted.removeprefix(_REGEX) if isinstance(wanted, str) and wanted.startswith(_REGEX) else None
        if not (event[name] == wanted if pattern is None else _fits(pattern, event[name], host, now)):
            return False
    for name, program in event_filter.expressions.items():
        if name not in event:
            return False
        value = event[name] if name == "data" else event
        if _ask(host, program, value, event_filter.variables, now) in (None, False):
            return False
    values = correlation_values(event_filter, event, host, now=now)
    for key, correlation in event_filter.correlate.items():
        if values[key] is None:
            return False
        if correlation.known:
            if values[key] != correlation.expect:
                return False
        elif known is not None and key in known and values[key] != known[key]:
            return False
    return True


def is_asked(need: str, index: int, found: Sequence[int]) -> bool:
    """Whether a filter still counts for an event that those in ``found`` fit.

    The filters of ``all`` count each for themselves, and so do those that end a listener (below 0); of ``any``, the
    first that fits.
    """
    return need == "all" or index < 0 or not any(one >= 0 for one in found)


def correlation_values(
    event_filter: AwaitFilter, event: dict[str, JSON], host: Host, *, now: Millis
) -> dict[str, JSON]:
    """Each key's value in this event; ``None`` where there is none."""
    return {
        key: _ask(host, correlation.from_, event, event_filter.variables, now)
        for key, correlation in event_filter.correlate.items()
    }


def _ask(host: Host, program: str, value: JSON, variables: Mapping[str, JSON], now: Millis) -> JSON:
    try:
        return host.evaluate(program, value, variables, now)
    except ExpressionFailed:
        return None


def _fits(pattern: str, text: JSON, host: Host, now: Millis) -> bool:
    """Whether the whole text fits. A pattern that is none, which an expression may have given, fits nothing.

    Patterns with groups, or many repetitions, may take for ever: those are left to the host, which bounds its time.
    """
    if not isinstance(text, str):
        return False
    if "(" in pattern or len(_REPETITION.findall(pattern)) > 2 or len(text) > 1_000:
        whole = "\\A(?:" + pattern.replace("(?P<", "(?<") + ")\\z"
        return _ask(host, "test($pattern)", text, {"pattern": whole}, now) is True
    try:
        return re.fullmatch(pattern, text) is not None
    except (re.error, OverflowError):  # the latter for a repetition beyond what can be counted
        return False
