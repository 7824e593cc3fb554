"""The text of an OpenAPI document -> its members; references are followed within the document."""

from __future__ import annotations

import re
from typing import Final

from lowtide.effects.documents import Document, misfit, read
from lowtide.model.base import JSON

__all__ = ["OpenApi", "misfit", "parse"]

_VERSIONS: Final = "Lowtide reads OpenAPI 3.0, 3.1 and Swagger 2.0"


class OpenApi(Document):
    """``swagger``: whether it is of version 2.0."""

    def __init__(self, root: dict[str, JSON], uri: str) -> None:
        super().__init__(root, uri)
        self.swagger = root.get("swagger") == "2.0"
        if not self.swagger and not re.match(r"3\.[01]\.", str(root.get("openapi", ""))):
            found = root.get("openapi") or root.get("swagger") or "nothing"
            raise misfit(f"{uri} says that it is OpenAPI {found}; {_VERSIONS}")


def parse(body: bytes, uri: str) -> OpenApi:
    """Raises ``TaskFailed`` (``configuration``) where it is neither JSON nor YAML, or no OpenAPI document."""
    return OpenApi(read(body, uri, "OpenAPI"), uri)
