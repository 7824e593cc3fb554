"""``WWW-Authenticate`` (RFC 9110, 11.6.1): several challenges may share a header, each with parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Challenge", "parse"]

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf"\s*({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))\s*(?:,|$)")
_SCHEME: Final = re.compile(rf"[\s,]*({_TOKEN})(?:\s+|\s*,|$)")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """``scheme`` and the names of ``parameters`` are in small letters."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(header: str) -> list[Challenge]:
    """The challenges of one header; parsing ends where it is malformed."""
    found: list[Challenge] = []
    place = 0
    while match := _SCHEME.match(header, place):
        parameters: dict[str, str] = {}
        place = match.end()
        while parameter := _PARAMETER.match(header, place):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            place = parameter.end()
        if not parameters and (token := _TOKEN68.match(header, place)):
            place = token.end()
        found.append(Challenge(match.group(1).lower(), parameters))
    return found
