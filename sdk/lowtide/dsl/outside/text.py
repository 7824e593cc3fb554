"""The text of what was fetched, as nodes that know their places."""

from __future__ import annotations

from lowtide.dsl.load import load
from lowtide.dsl.outside.references import Found
from lowtide.dsl.problem import Report
from lowtide.dsl.source import BadText, Source
from lowtide.dsl.tree import Node

__all__ = ["read"]


def read(found: Found, report: Report, begin: str) -> tuple[Node, Source] | None:
    """The root mapping of a text in YAML 1.2 or JSON; ``begin`` says how such a document begins.

    ``None`` where it is none; mistakes go to ``report``.
    """
    try:
        source = Source(found.body)
    except BadText as error:
        report.error(error.mark, error.message, error.mend)
        return None
    if source.text.lstrip().startswith("<"):
        report.error((1, 1), "this is a web page or XML, not YAML or JSON", "give the address of the raw document")
        return None
    root = load(source, report, begin)
    return None if root is None else (root, source)
