"""The step registry: Python functions that a workflow calls by name.

    import lowtide

    @lowtide.step("price")
    async def price(sku: str, quantity: int = 1) -> dict[str, float]: ...

``call: price`` with ``with: {sku: A-1, quantity: 2}`` then calls it. Arguments are validated against the
annotations; the result must be JSON. The decorator only marks the function: a registry is built by
:meth:`StepRegistry.load` from the modules that the settings name, so importing a module has no effect of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["step"]

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__lowtide_step__"


@dataclass(frozen=True)
class StepMark:
    """What the decorator leaves on a function."""

    name: str


def step(name: str) -> Callable[[F], F]:
    """Make a function callable from workflows as ``call: name``."""

    def mark(function: F) -> F:
        setattr(function, MARK, StepMark(name))
        return function

    return mark
