"""Event filters, consumption strategies, and the schedule that may be made of them."""

from __future__ import annotations

from typing import Literal

from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.scope import Scope, TaskScope
from lowtide.dsl.templates import whole
from lowtide.dsl.tree import Node
from lowtide.model.duration import to_millis
from lowtide.model.plan import Correlation, EventFilter, Expression, Schedule, Strategy, Template

__all__ = ["read_of", "schedule_of", "strategy_of"]


def strategy_of(draft: Draft, node: Node | None, scope: Scope) -> Strategy:
    """``one``, ``all`` or ``any`` with its ``until``."""
    node = node or NOTHING
    one, every, some = node.get("one"), node.get("all"), node.get("any")
    if one is not None:
        return Strategy("one", (_filter(draft, one, scope),))
    if every is not None:
        return Strategy("all", tuple(_filter(draft, item, scope) for item in every.items))
    until = node.get("until")
    return Strategy(
        "any",
        tuple(_filter(draft, item, scope) for item in (some or NOTHING).items),
        until_condition=draft.expression(until, scope),
        until_strategy=strategy_of(draft, until, scope) if until is not None and until.is_mapping else None,
    )


def _filter(draft: Draft, node: Node, scope: Scope) -> EventFilter:
    attributes = node.get("with") or NOTHING
    correlate = node.get("correlate") or NOTHING
    return EventFilter(
        {name: draft.template(child, scope, lenient=False) for name, child in attributes.members.items()},
        {name: _correlation(draft, child, scope) for name, child in correlate.members.items()},
    )


def _correlation(draft: Draft, node: Node, scope: Scope) -> Correlation:
    expect = node.get("expect")
    return Correlation(
        draft.expression(node.get("from"), scope) or Expression("."),
        _expected(draft, expect, scope) if expect is not None else None,
    )


def _expected(draft: Draft, node: Node, scope: Scope) -> Template:
    """A constant or a runtime expression: only ``${ … }`` is evaluated."""
    if node.text is not None and whole(node.text) is not None:
        return draft.string(node, scope)
    return draft.template(node, scope, lenient=False)


def read_of(node: Node | None) -> Literal["data", "envelope", "raw"]:
    match node.value if node is not None else None:
        case "envelope":
            return "envelope"
        case "raw":
            return "raw"
    return "data"


def schedule_of(draft: Draft, node: Node | None) -> Schedule | None:
    if node is None:
        return None
    cron, on = node.get("cron"), node.get("on")
    return Schedule(
        every=_millis(node.get("every")),
        cron=cron.text if cron is not None else None,
        after=_millis(node.get("after")),
        on=strategy_of(draft, on, TaskScope.start()) if on is not None else None,
        read=read_of(node.get("read")),
    )


def _millis(node: Node | None) -> int | None:
    try:
        return to_millis(node.value) if node is not None else None
    except ValueError:
        return None  # the models and the linter have reported it
