"""Whether a plan's expressions may take so long that its turns belong beside the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lowtide.engine import Host
from lowtide.model.plan import Expression, Plan

__all__ = ["expressions_of", "may_block"]


def may_block(plan: Plan, host: Host) -> bool:
    """``True`` where some expression may be evaluated by a worker process, or a schema must be checked.

    A host without ``may_block`` never blocks.
    """
    asks = getattr(host, "may_block", None)
    return asks is not None and any(asks(expression.source) for expression in expressions_of(plan))


def expressions_of(node: object) -> Iterator[Expression]:
    """Every expression at or below a plan's node."""
    if isinstance(node, Expression):
        yield node
    elif isinstance(node, Plan):
        for part in (node.do, node.functions, node.input, node.output, node.timeout, node.extensions):
            yield from expressions_of(part)
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            yield from expressions_of(getattr(node, name))
    elif isinstance(node, tuple):
        for item in node:
            yield from expressions_of(item)
    elif isinstance(node, dict):
        for value in node.values():
            if isinstance(value, msgspec.Struct):
                yield from expressions_of(value)
