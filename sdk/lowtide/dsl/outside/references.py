"""The nouns of what stands outside a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lowtide.dsl.tree import Mark
from lowtide.model.plan import Template

__all__ = ["CATALOG", "Catalog", "Found", "Need", "Origin", "Reference", "Refused"]

CATALOG = "catalog:"
"""Begins the URI of what stands in the installation's own catalog; only the one who fetches knows where that is."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something to fetch: an absolute URI, and how to authenticate (``$secrets`` may stand in it, nothing else)."""

    uri: str
    authentication: Template | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Found:
    """``uri`` is where it stood after redirects: relative references in it start there."""

    uri: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it was not to be had, and how to mend it."""

    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Reference:
    """One place of a document that names something outside.

    ``name`` is how the document calls it; for a function also how its ``call`` is looked up in the plan.
    """

    kind: Literal["function", "schema"]
    name: str
    need: Need
    mark: Mark


@dataclass(frozen=True, slots=True)
class Catalog:
    """One of ``use.catalogs``. ``uri`` is ``None`` where it cannot be known before the workflow runs."""

    uri: str | None
    authentication: Template | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a function's own document came from, and the catalogs of the workflow that calls it."""

    need: Need
    uri: str
    catalogs: Mapping[str, Catalog]
