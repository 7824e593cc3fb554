"""Calls: http, grpc, openapi, asyncapi, mcp, a2a, and functions by name."""

from __future__ import annotations

from typing import Any

from lowtide.dsl.keywords import CALLS
from lowtide.dsl.normalise import composites
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.scope import TaskScope
from lowtide.dsl.normalise.values import structure
from lowtide.dsl.tree import Node
from lowtide.model.plan import Call, Literal_, ObjectTemplate, Template

__all__ = ["call"]


def call(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Call:
    name = (node.get("call") or NOTHING).text or ""
    arguments = node.get("with")
    if arguments is None:
        return Call(call=name, with_=Literal_({}), **shared)
    if name not in CALLS:
        return Call(call=name, with_=draft.template(arguments, scope.body), **shared)
    if name == "asyncapi" and arguments.get("subscription") is not None:
        return _subscription(draft, arguments, scope, pointer, shared)
    return Call(call=name, with_=_arguments(draft, arguments, scope), **shared)


def _arguments(draft: Draft, arguments: Node, scope: TaskScope, without: str = "") -> Template:
    return structure(draft, _less(arguments, without) if without else arguments, scope.body)


def _subscription(draft: Draft, arguments: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Call:
    """A subscription's ``foreach`` holds tasks: they become the call's own, the rest are its arguments.

    ``filter``, ``while`` and ``until`` are evaluated per message, by the effect, so they stay expressions.
    """
    subscription = arguments.get("subscription") or NOTHING
    consume = subscription.get("consume") or NOTHING
    rest = structure(draft, _less(arguments, "subscription"), scope.body)
    conditions = {
        key: found
        for key, found in (
            ("filter", draft.expression(subscription.get("filter"), scope.body)),
            ("while", draft.expression(consume.get("while"), scope.body)),
            ("until", draft.expression(consume.get("until"), scope.body)),
        )
        if found is not None
    }
    limits = {key: Literal_(child.value) for key, child in consume.members.items() if key in ("amount", "for")}
    members: dict[str, Template] = (
        dict(rest.members)
        if isinstance(rest, ObjectTemplate)
        else {key: Literal_(value) for key, value in (rest.value if isinstance(rest, Literal_) else {}).items()}
    )
    sources = {key: condition.source for key, condition in conditions.items()}
    members["subscription"] = Literal_({**sources, **{key: limit.value for key, limit in limits.items()}})
    foreach = composites.foreach_of(draft, subscription.get("foreach"), f"{pointer}/with/subscription/foreach", scope)
    return Call(call="asyncapi", with_=ObjectTemplate(members), foreach=foreach, **shared)


def _less(node: Node, key: str) -> Node:
    """The mapping without one of its members."""
    rest = Node({name: value for name, value in node.value.items() if name != key}, node.mark)
    rest.members = {name: child for name, child in node.members.items() if name != key}
    rest.keys = node.keys
    return rest
