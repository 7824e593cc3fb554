"""What all models of the grammar share: how they are read, and how a choice between shapes is made.

A choice is never "try each, report all": a function looks at the value and names the one branch that it is meant to
be, so that a mistake is reported once, by the branch that it is in. Tags of branches stand in ``<…>``, which tells
them apart from keys in the path of an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Discriminator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

__all__ = ["MISTAKE", "SHAPE", "Choice", "Model", "by_key", "by_shape", "mistake"]

MISTAKE: Final = "lowtide_mistake"
"""The type of errors that bring their own ``mend``; see :func:`mistake`."""

SHAPE: Final = "lowtide_shape"
"""The type of errors of a value that is none of the shapes it may have."""


def _key(name: str) -> str:
    """The document's key of a field: camelCase, and without the ``_`` that Python's own words need."""
    return to_camel(name.rstrip("_"))


class Model(BaseModel):
    """A mapping of the document. Unknown keys are mistakes; nothing is coerced: ``"5"`` is not a number."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=_key, protected_namespaces=(), defer_build=True
    )


def mistake(message: str, mend: str) -> PydanticCustomError:
    """An error for validators to raise: what is wrong and was expected, and how to mend it."""
    return PydanticCustomError(MISTAKE, "{message}", {"message": message, "mend": mend})


class Choice(Discriminator):
    """A discriminator that may stand in a union: those with a context are not hashable by themselves."""

    __hash__ = object.__hash__


def by_shape(expected: str, mend: str) -> Discriminator:
    """A choice by what the value is: text ``<text>``, a mapping ``<object>``, or a list ``<list>``."""
    return _discriminator(_shape, expected, mend)


def by_key(keys: tuple[str, ...], expected: str, mend: str, *, text: bool = False) -> Discriminator:
    """A choice by which of ``keys`` a mapping has: the tag is ``<key>``; ``<text>`` for text where that is allowed."""

    def choose(value: Any) -> str | None:
        if text and isinstance(value, str):
            return "<text>"
        if isinstance(value, dict):
            return next((f"<{key}>" for key in keys if key in value), None)
        return None

    return _discriminator(choose, expected, mend, keys)


def _shape(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, dict):
        return "<object>"
    return "<list>" if isinstance(value, list) else None


def _discriminator(
    choose: Callable[[Any], str | None], expected: str, mend: str, keys: tuple[str, ...] = ()
) -> Discriminator:
    return Choice(
        choose,
        custom_error_type=SHAPE,
        custom_error_message="{expected}",
        custom_error_context={"expected": expected, "mend": mend, "keys": " ".join(keys)},
    )
