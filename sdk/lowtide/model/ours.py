"""What a document says to Lowtide alone: ``document.metadata.lowtide``. The standard leaves metadata free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from lowtide.model.base import JSON
from lowtide.model.duration import to_millis

__all__ = ["DURABILITIES", "Durability", "durability_of", "ours", "retain_of", "retention"]

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


def retain_of(definition: JSON) -> int | None:
    """How long executions are kept after their end, in milliseconds: ``document.metadata.lowtide.retain``.

    ``None`` where the document leaves it to the installation. Raises ``ValueError``, which says how to
    mend it.
    """
    wanted = ours(definition, "retain")
    return None if wanted is None else retention(wanted)


def retention(wanted: JSON) -> int:
    """A duration for which executions are kept, in milliseconds. Raises as :func:`retain_of`."""
    millis = to_millis(wanted)
    if millis == 0:
        raise ValueError("nobody could look at an execution that is kept for no time; write a longer duration")
    return millis
