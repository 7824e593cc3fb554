"""Retry policies (decision A-10)."""

from __future__ import annotations

import sys
from typing import Final, Literal

from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.scope import Scope
from lowtide.dsl.normalise.values import duration
from lowtide.dsl.tree import Node
from lowtide.model.plan import Retry

__all__ = ["BACKOFFS", "retry_of"]

Backoff = Literal["constant", "linear", "exponential"]
BACKOFFS: Final[tuple[Backoff, ...]] = ("constant", "linear", "exponential")


def retry_of(draft: Draft, node: Node | None, scope: Scope) -> Retry | None:
    """A policy, inline or the name of one in ``use.retries``."""
    if node is not None and node.text is not None:
        node = draft.refer("retries", node)
    if node is None:
        return None
    backoff: Backoff = "constant"
    options = NOTHING
    for kind in BACKOFFS:
        found = node.get("backoff", kind)
        if found is not None:
            backoff, options = kind, found
    count, multiplier = node.get("limit", "attempt", "count"), options.get("multiplier")
    return Retry(
        when=draft.expression(node.get("when"), scope),
        except_when=draft.expression(node.get("exceptWhen"), scope),
        delay=duration(draft, node.get("delay"), scope),
        backoff=backoff,
        multiplier=_factor(multiplier.value) if multiplier is not None and _is_number(multiplier) else 2.0,
        increment=duration(draft, options.get("increment"), scope),
        max_delay=duration(draft, options.get("maxDelay"), scope),
        count=count.value if count is not None and type(count.value) is int else None,
        attempt_duration=duration(draft, node.get("limit", "attempt", "duration"), scope),
        duration=duration(draft, node.get("limit", "duration"), scope),
        jitter_from=duration(draft, node.get("jitter", "from"), scope),
        jitter_to=duration(draft, node.get("jitter", "to"), scope),
    )


def _is_number(node: Node) -> bool:
    return type(node.value) in (int, float)


def _factor(number: float) -> float:
    """As a float; one beyond all floats grows as quickly as the largest."""
    return float(min(number, sys.float_info.max))
