"""What a document says to Lowtide alone: ``document.metadata.lowtide``. The standard leaves metadata free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from lowtide.model.base import JSON

__all__ = ["DURABILITIES", "Durability", "durability_of", "ours"]

Durability: TypeAlias = Literal["full", "relaxed"]

DURABILITIES: Final[tuple[Durability, ...]] = get_args(Durability)
"""``full``: what happened is in the journal before anything follows from it. ``relaxed``: the journal is written
behind, and done without while it is away (``docs/guarantees.md``)."""


def ours(definition: JSON | Mapping[str, JSON], member: str) -> JSON:
    """The member of ``document.metadata.lowtide`` in a document as JSON; ``None`` where there is none."""
    found: object = definition
    for key in ("document", "metadata", "lowtide", member):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def durability_of(definition: JSON) -> Durability:
    """What a document asks for by ``document.metadata.lowtide.durability``."""
    return "relaxed" if ours(definition, "durability") == "relaxed" else "full"
