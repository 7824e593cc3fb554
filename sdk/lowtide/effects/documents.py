"""Documents that describe services (OpenAPI, AsyncAPI): fetched, read, kept; references are followed within them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from lowtide.effects.resource import Resources
from lowtide.effects.structured import read_structured
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["Document", "Documents", "misfit", "read"]

_HOPS: Final = 20
_KEPT: Final = 32


class Document:
    """``root`` is what it holds, ``uri`` where it was found."""

    def __init__(self, root: dict[str, JSON], uri: str) -> None:
        self.root = root
        self.uri = uri

    def resolved(self, node: JSON) -> dict[str, JSON]:
        """The object itself, or the one that its ``$ref`` leads to; an empty one where there is none."""
        for _ in range(_HOPS):
            if not isinstance(node, dict):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._at(reference)
        raise misfit(f"{self.uri}: a $ref leads in circles")

    def _at(self, reference: str) -> JSON:
        if not reference.startswith("#"):
            raise misfit(
                f"{self.uri}: the reference {reference!r} leads out of the document; put what it names into it"
            )
        node: JSON = self.root
        for raw in reference[1:].split("/")[1:]:
            segment = raw.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and segment.isdecimal() and int(segment) < len(node):
                node = node[int(segment)]
            elif isinstance(node, dict) and segment in node:
                node = node[segment]
            else:
                raise misfit(f"{self.uri}: there is nothing at {reference!r}")
        return node


D = TypeVar("D", bound=Document)


class Documents(Generic[D]):
    """``parse`` makes a document of bytes and a URI; ``what`` names its kind in errors. Kept by their content."""

    def __init__(self, resources: Resources, parse: Callable[[bytes, str], D], what: str) -> None:
        self._resources = resources
        self._parse = parse
        self._what = what
        self._documents: OrderedDict[tuple[str, bytes], D] = OrderedDict()

    async def fetch(self, named: JSON) -> D:
        """Raises ``TaskFailed`` as :meth:`Resources.fetch`, and ``configuration`` where it is no such document."""
        resource = await self._resources.fetch(named, self._what)
        key = (resource.uri, blake2b(resource.body, digest_size=16).digest())
        known = self._documents.get(key)
        if known is None:
            known = self._documents[key] = self._parse(resource.body, resource.uri)
        self._documents.move_to_end(key)
        while len(self._documents) > _KEPT:
            self._documents.popitem(last=False)
        return known


def read(body: bytes, uri: str, kind: str) -> dict[str, JSON]:
    """Raises ``TaskFailed`` (``configuration``) where it is neither JSON nor YAML, or no object."""
    try:
        root = read_structured(body)
    except ValueError as error:
        raise misfit(f"{uri} is no {kind} document: {error}") from error
    if not isinstance(root, dict):
        raise misfit(f"{uri} is no {kind} document: it is no object")
    return root


def misfit(detail: str) -> TaskFailed:
    """A ``configuration`` error: the document, or what the workflow gives for it, does not fit."""
    return TaskFailed(standard_error("configuration", detail))
