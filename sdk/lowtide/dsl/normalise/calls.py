"""Calls: http, grpc, openapi, asyncapi, mcp, a2a, and functions by name."""

from __future__ import annotations

from typing import Any, Final

from lowtide.dsl.keywords import CALLS
from lowtide.dsl.normalise import composites
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.outside import called
from lowtide.dsl.normalise.scope import TaskScope
from lowtide.dsl.normalise.values import structure
from lowtide.dsl.tree import Node
from lowtide.model.plan import Call, Expression, Literal_, ObjectTemplate, Template

__all__ = ["call"]

_BOUNDS: Final = ("amount", "for")


def call(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Call:
    named = node.get("call") or NOTHING
    name = named.text if named.text in CALLS else called(draft, named)
    arguments = node.get("with")
    if arguments is None:
        return Call(call=name, with_=Literal_({}), **shared)
    if name not in CALLS:
        return Call(call=name, with_=draft.template(arguments, scope.body), **shared)
    if name == "asyncapi" and arguments.get("subscription") is not None:
        return _subscription(draft, arguments, scope, pointer, shared)
    return Call(call=name, with_=structure(draft, arguments, scope.body), **shared)


def _subscription(draft: Draft, arguments: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Call:
    """A subscription's ``foreach`` holds tasks: they become the call's own, the rest are its arguments.

    ``filter``, ``while`` and ``until`` are evaluated per message: they stay jq sources.
    """
    subscription = arguments.get("subscription") or NOTHING
    consume = subscription.get("consume") or NOTHING
    conditions = {key: found for key in ("while", "until") if (found := _condition(draft, consume, key, scope))}
    consumption: dict[str, Template] = {
        **{key: draft.template(child, scope.body) for key, child in consume.members.items() if key in _BOUNDS},
        **{key: Literal_(condition.source) for key, condition in conditions.items()},
    }
    members = _members(structure(draft, arguments.without("subscription"), scope.body))
    filter_ = _condition(draft, subscription, "filter", scope)
    given: dict[str, Template] = {} if filter_ is None else {"filter": Literal_(filter_.source)}
    members["subscription"] = ObjectTemplate({**given, "consume": ObjectTemplate(consumption)})
    foreach = composites.foreach_of(draft, subscription.get("foreach"), f"{pointer}/with/subscription/foreach", scope)
    return Call(call="asyncapi", with_=ObjectTemplate(members), foreach=foreach, **shared)


def _condition(draft: Draft, node: Node, key: str, scope: TaskScope) -> Expression | None:
    return draft.expression(node.get(key), scope.body)


def _members(template: Template) -> dict[str, Template]:
    """The members of an object's template, each as a template of its own."""
    if isinstance(template, ObjectTemplate):
        return dict(template.members)
    constant = template.value if isinstance(template, Literal_) else {}
    return {key: Literal_(value) for key, value in constant.items()}
