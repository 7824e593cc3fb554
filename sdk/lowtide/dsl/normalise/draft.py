"""A plan in the making: turns nodes into templates and remembers every expression, for the linter.

Building goes on where a document is malformed (a missing node is ``None``, a wrong shape an empty one), so that
expressions are checked also in a document that has other mistakes; such a plan is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lowtide.dsl.jqlex import lex
from lowtide.dsl.normalise.scope import Scope
from lowtide.dsl.outside.references import Catalog, Need, Origin, Reference
from lowtide.dsl.problem import Report
from lowtide.dsl.source import Source
from lowtide.dsl.templates import MARKER, split, whole
from lowtide.dsl.tree import Mark, Node
from lowtide.model.base import JSON
from lowtide.model.plan import ArrayTemplate, Expression, Interpolation, Literal_, ObjectTemplate, Template

__all__ = ["MOST_EXPRESSIONS", "NOTHING", "Draft", "Site"]

NOTHING: Final = Node(None, (1, 1))
"""Stands for what a malformed document left out."""


MOST_EXPRESSIONS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Site:
    """An expression in the document: ``offset`` is where it begins in the text of ``node``."""

    expression: Expression
    node: Node
    offset: int
    scope: Scope


class Draft:
    """``origin`` is set for a function's own document, ``pinned`` holds the schemas that were fetched."""

    def __init__(
        self,
        root: Node,
        source: Source,
        report: Report,
        *,
        origin: Origin | None = None,
        pinned: Mapping[Need, JSON] | None = None,
    ) -> None:
        self.root = root
        self.source = source
        self.report = report
        self.origin = origin
        self.pinned: Mapping[Need, JSON] = {} if pinned is None else pinned
        self.catalogs: Mapping[str, Catalog] = {} if origin is None else origin.catalogs
        self.references: list[Reference] = []
        self.schemas: list[Node] = []
        self.use = root.get("use") or NOTHING
        mode = root.get("evaluate", "mode")
        self.loose = mode is not None and mode.value == "loose"
        self.sites: list[Site] = []
        self.secrets: list[tuple[str, Mark]] = []
        """Secrets that authentications name."""
        self.used: set[tuple[str, str]] = set()
        """The definitions of ``use`` that something refers to, as (group, name)."""
        self.texts: list[tuple[str, Node]] = []
        """Literal strings in places that might hold an expression: for the warning about forgotten ``${ }``."""

    def refer(self, group: str, reference: Node) -> Node | None:
        """The definition in ``use`` that a name refers to; a name without one is reported."""
        name = reference.text or ""
        self.used.add((group, name))
        known = self.use.get(group) or NOTHING
        found = known.members.get(name)
        if found is None:
            meant = self.report.suggest(name, known.members)
            mend = f"did you mean '{meant}'?" if meant else f"define it in use.{group}, or write it inline"
            if self.origin is not None:
                mend = "write it inline: a function has no use of its own, and sees nothing of the workflow's"
            self.report.error(reference.mark, f"there is no '{name}' in use.{group}", mend)
        return found

    def mark(self, site: Site, offset: int) -> Mark:
        """Where character ``offset`` of the site's expression stands."""
        return self.source.locate(site.node, site.offset + offset)

    def expression(self, node: Node | None, scope: Scope) -> Expression | None:
        """A field whose type is an expression: ``${ … }`` or bare jq."""
        if node is None or node.text is None:
            return None
        piece = whole(node.text)
        if piece is not None and piece.offset is not None:
            return self._site(piece.source, node, piece.offset, scope)
        stripped = node.text.strip()
        return self._site(stripped, node, node.text.index(stripped) if stripped else 0, scope)

    def flow(self, node: Node | None, scope: Scope) -> Template | None:
        """``from`` and ``as``: an expression when text, else an object with expressions inside."""
        if node is None:
            return None
        return self.expression(node, scope) if node.text is not None else self.template(node, scope)

    def template(self, node: Node, scope: Scope, *, lenient: bool = True) -> Template:
        """Any value: expressions in it are marked, a subtree without one is a single literal.

        ``lenient`` is false where text is literal also in loose mode.
        """
        value = node.value
        if isinstance(value, str):
            return self.string(node, scope, lenient=lenient)
        if isinstance(value, dict):
            members = {key: self.template(child, scope, lenient=lenient) for key, child in node.members.items()}
            constant = all(type(member) is Literal_ for member in members.values())
            return Literal_(value) if constant else ObjectTemplate(members)
        if isinstance(value, list):
            items = tuple(self.template(child, scope, lenient=lenient) for child in node.items)
            return Literal_(value) if all(type(item) is Literal_ for item in items) else ArrayTemplate(items)
        return Literal_(value)

    def string(self, node: Node, scope: Scope, *, lenient: bool = True) -> Template:
        text = node.text or ""
        if MARKER not in text:
            if self.loose and lenient and text.strip():
                return self._site(text.strip(), node, len(text) - len(text.lstrip()), scope, lenient=True)
            self.texts.append((text, node))
            return Literal_(text)
        piece = whole(text)
        if piece is not None and piece.offset is not None:
            return self._site(piece.source, node, piece.offset, scope)
        parts: list[str | Expression] = []
        for piece in split(text):
            if piece.unclosed and piece.offset is not None:
                self._unclosed(node, piece.offset)
                parts.append(piece.source)
            elif piece.offset is None:
                parts.append(piece.source)
            else:
                parts.append(self._site(piece.source, node, piece.offset, scope))
        return Interpolation(tuple(parts))

    def _unclosed(self, node: Node, offset: int) -> None:
        trouble = lex(node.text or "", offset + len(MARKER), embedded=True).trouble
        nature = f": {trouble[1]}" if trouble is not None else ""
        self.report.error(
            self.source.locate(node, trouble[0] if trouble is not None else offset),
            f"the expression that begins with '${{' is not closed{nature}",
            "close it with '}', and close every bracket and quote in it",
        )

    def _site(self, source: str, node: Node, offset: int, scope: Scope, *, lenient: bool = False) -> Expression:
        if len(self.sites) >= MOST_EXPRESSIONS:
            self.report.error(
                node.mark, f"the document has more than {MOST_EXPRESSIONS:,} expressions", "split it into several"
            )
            return Expression(source)
        line, column = self.source.locate(node, offset)
        place = f"{line}:{column}" if self.origin is None else f"{self.origin.uri}:{line}:{column}"
        expression = Expression(source, place, lenient)
        self.sites.append(Site(expression, node, offset, scope))
        return expression
