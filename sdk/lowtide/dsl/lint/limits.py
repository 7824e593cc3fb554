"""``document.metadata.lowtide.limits`` (decision A-23): metadata is free, this member of it is ours."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.dsl.jqlex import lex
from lowtide.dsl.lint.lists import Listed
from lowtide.dsl.lint.syntax import syntax_errors
from lowtide.dsl.normalise.draft import Site
from lowtide.dsl.normalise.scope import Scope
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Mark, Node
from lowtide.model.base import JSON
from lowtide.model.limits import EXPRESSIONS, Mistake, read_limits
from lowtide.model.plan import Expression

__all__ = ["limits", "mistakes_of"]


def limits(root: Node, lists: list[Listed], report: Report) -> None:
    node = root.get("document", "metadata", "lowtide", "limits")
    if node is not None:
        for mistake in mistakes_of(node.value):
            report.error(_mark(node, mistake.path), mistake.message, mistake.mend)


def mistakes_of(value: JSON) -> list[Mistake]:
    """Everything that is wrong with limits as they are declared, the syntax of their expressions included."""
    read, mistakes = read_limits(value)
    found = list(mistakes)
    for path in EXPRESSIONS:
        source: object = read
        for name in path:
            source = getattr(source, name, None)
        if isinstance(source, str):
            found += (Mistake(path, message, mend) for message, mend in _wrong(source))
    return found


def _wrong(source: str) -> Iterator[tuple[str, str]]:
    lexed = lex(source)
    if lexed.trouble is not None:
        yield f"the expression is not closed: {lexed.trouble[1]}", "close it"
        return
    for name, _ in lexed.free:
        yield f"there is no ${name} here", "an expression of a limit sees the execution's input alone, as '.'"
        return
    site = Site(Expression(source), Node(source, (1, 1)), 0, Scope("a limit", frozenset()))
    for _, _, message, mend in syntax_errors([site]):
        yield message, mend


def _mark(node: Node, path: tuple[str, ...]) -> Mark:
    """Where the member stands, or what it is missing in."""
    for name in path[:-1]:
        node = node.members.get(name, node)
    return node.key_mark(path[-1]) if path else node.mark
