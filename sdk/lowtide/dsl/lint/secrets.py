"""A secret that a workflow would put out as it is: the one way to its output that can be known before it runs.

What an expression makes of a secret cannot be known; that is masked where it is shown (:mod:`lowtide.wire.masking`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lowtide.dsl.keywords import keyword_of
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Mark, Node

__all__ = ["secrets_put_out"]

_AS_IT_IS: Final = re.compile(r'\$secrets(\s*\.\s*\w+|\s*\.?\s*\[\s*(?:"[^"\\]*"|\d+)\s*\])*')
_LEAVING: Final = frozenset({"end", "exit"})


def secrets_put_out(draft: Draft, report: Report) -> None:
    """A ``set`` that ends the workflow, with nothing after it that would give another output."""
    if draft.root.get("output", "as") is not None:
        return
    entries = list((draft.root.get("do") or NOTHING).entries())
    marks: set[Mark] = set()
    for place, entry in enumerate(entries):
        then = entry.node.get("then")
        ends = place == len(entries) - 1 or (then is not None and then.text in _LEAVING)
        if ends and keyword_of(entry.node.value) == "set" and entry.node.get("output", "as") is None:
            marks.update(_marks(entry.node.get("set") or NOTHING))
    for site in draft.sites if marks else ():
        if site.node.mark in marks and _AS_IT_IS.fullmatch(site.expression.source.strip()):
            report.error(
                draft.mark(site, 0),
                "the workflow's output would show a secret",
                "use the secret where it is needed, in the call itself; or say in output.as what is put out",
            )


def _marks(node: Node) -> Iterator[Mark]:
    """Where the texts of a value stand."""
    if node.text is not None:
        yield node.mark
    for child in (*node.members.values(), *node.items):
        yield from _marks(child)
