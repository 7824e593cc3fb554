"""The text of an OpenAPI document -> its members; references are followed within the document."""

from __future__ import annotations

import re
from typing import Final

from lowtide.effects.structured import read_structured
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["OpenApi", "misfit", "parse"]

_HOPS: Final = 20
_VERSIONS: Final = "Lowtide reads OpenAPI 3.0, 3.1 and Swagger 2.0"


class OpenApi:
    """``root`` is the document, ``uri`` where it was found, ``swagger`` whether it is of version 2.0."""

    def __init__(self, root: dict[str, JSON], uri: str) -> None:
        self.root = root
        self.uri = uri
        self.swagger = root.get("swagger") == "2.0"
        if not self.swagger and not re.match(r"3\.[01]\.", str(root.get("openapi", ""))):
            found = root.get("openapi") or root.get("swagger") or "nothing"
            raise misfit(f"{uri} says that it is OpenAPI {found}; {_VERSIONS}")

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


def parse(body: bytes, uri: str) -> OpenApi:
    """Raises ``TaskFailed`` (``configuration``) where it is neither JSON nor YAML, or no OpenAPI document."""
    try:
        root = read_structured(body)
    except ValueError as error:
        raise misfit(f"{uri} is no OpenAPI document: {error}") from error
    if not isinstance(root, dict):
        raise misfit(f"{uri} is no OpenAPI document: it is no object")
    return OpenApi(root, uri)


def misfit(detail: str) -> TaskFailed:
    """A ``configuration`` error: the document, or what the workflow gives for it, does not fit."""
    return TaskFailed(standard_error("configuration", detail))
