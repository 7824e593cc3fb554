"""Knative's filter dialects on CloudEvents: ``exact``, ``prefix``, ``suffix``, ``any``, ``all``, ``not``.

As Knative was seen to do: an attribute that is absent equals nothing and begins with nothing, so ``not`` of it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lowtide.errors import Misconfigured
from lowtide.wire.cloudevents import CloudEvent

__all__ = ["matches"]

_COMPARED: Final[dict[str, Callable[[str, str], bool]]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}


def matches(filters: tuple[Mapping[str, Any], ...], event: CloudEvent) -> bool:
    """Whether all filters hold. Raises :class:`lowtide.errors.Misconfigured` for a dialect that is not one of ours."""
    return all(_holds(given, event) for given in filters)


def _holds(given: Mapping[str, Any], event: CloudEvent) -> bool:
    return all(_dialect(name, operand, event) for name, operand in given.items())


def _dialect(name: str, operand: Any, event: CloudEvent) -> bool:
    if name == "any":
        return any(_holds(part, event) for part in operand)
    if name == "all":
        return all(_holds(part, event) for part in operand)
    if name == "not":
        return not _holds(operand, event)
    compare = _COMPARED.get(name)
    if compare is None:
        raise Misconfigured(f"filter dialect {name!r} is not known; use exact, prefix, suffix, any, all or not")
    values = ((event.text(attribute), wanted) for attribute, wanted in operand.items())
    return all(value is not None and compare(value, wanted) for value, wanted in values)
