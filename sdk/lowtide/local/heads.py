"""Heads of requests and answers: what is plain enough to be passed on, and which fields pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import httptools

from .proxy import WHOLE

__all__ = ["LARGEST_HEAD", "Asked", "Fields", "fields_of", "kept", "read_request"]

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]

LARGEST_HEAD: Final = 64 * 1024
_PLAIN: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_SURPRISING: Final = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer", b"proxy-connection"})
_LARGEST_FIELD: Final = 8190
"""Bytes; aiohttp refuses longer ones, and says so."""

_OF_ONE_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
)


def kept(fields: Fields, also: Iterable[bytes] = ()) -> list[tuple[bytes, bytes]]:
    """Those that pass; ``also``: further names, in small letters, that do not."""
    dropped = _OF_ONE_CONNECTION.union(also)
    named = [value for name, value in fields if name.lower() == b"connection"]
    if named:
        dropped = dropped.union(token.strip().lower() for value in named for token in value.split(b","))
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def fields_of(fields: Fields) -> bytes:
    """As they stand in a head, with the empty line that ends it."""
    return b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """A head without surprises. ``length`` of its body in bytes; ``closes``: the client wants no further answer."""

    method: str
    target: bytes
    fields: Fields
    length: int
    closes: bool


def read_request(head: bytes) -> Asked | None:
    """``None`` where it is for aiohttp."""
    found = _Head()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    method = parser.get_method()
    if method not in _PLAIN or parser.get_http_version() != "1.1" or not found.target.startswith(b"/"):
        return None
    length, closes = 0, False
    for name, value in found.fields:
        if len(name) + len(value) > _LARGEST_FIELD:
            return None
        match name.lower():
            case b"content-length":
                if not value.isdigit() or len(value) > 9:
                    return None
                length = int(value)
            case b"connection":
                closes = closes or b"close" in value.lower()
            case other if other in _SURPRISING:
                return None
    return None if length > WHOLE else Asked(method.decode(), found.target, found.fields, length, closes)


class _Head:
    """A request's head as the parser tells of it."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))
