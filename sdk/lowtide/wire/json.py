"""The JSON codec of all nouns. One module, so that a change of library or of number handling has one place.

Integers of any size, ``1.0`` and key order survive (decision A-4).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lowtide.errors import InvalidInput

__all__ = ["decode", "encode", "parse"]

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """``value`` (a noun or plain JSON) as compact JSON bytes; equal values give equal bytes."""
    return _encoder.encode(value)


def decode(body: bytes | str, kind: type[T]) -> T:
    """A noun of class ``kind``.

    Raises :class:`lowtide.errors.InvalidInput` naming the member that does not fit.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is not a {kind.__name__}: {error}") from error
    except RecursionError as error:
        raise InvalidInput(f"this {kind.__name__} is nested too deeply; make it flatter") from error


def parse(body: bytes | str) -> Any:
    """Any JSON value. Raises :class:`lowtide.errors.InvalidInput` where the text is not JSON."""
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidInput("this JSON is nested too deeply; make it flatter") from error
