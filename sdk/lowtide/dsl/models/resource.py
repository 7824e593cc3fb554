"""Things elsewhere: endpoints, external resources, schemas, catalogs."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

from pydantic import Field, Tag, model_validator

from lowtide.dsl.models.authentication import PolicyOrName
from lowtide.dsl.models.base import Model, by_shape, mistake
from lowtide.dsl.models.values import Data, Uri

__all__ = ["Catalog", "Endpoint", "Resource", "Schema"]


class EndpointObject(Model):
    uri: Uri = Field(examples=["https://example.com/orders/{id}"])
    authentication: PolicyOrName | None = None


Endpoint: TypeAlias = Annotated[
    Annotated[Uri, Tag("<text>")] | Annotated[EndpointObject, Tag("<object>")],
    by_shape("an endpoint is expected", "write a URI, an expression, or {uri: …, authentication: …}"),
]


class Resource(Model):
    """An external resource."""

    endpoint: Endpoint = Field(examples=["https://example.com/openapi.json"])
    name: str | None = None


class Schema(Model):
    """A schema, inline (``document``) or elsewhere (``resource``)."""

    format: str | None = None
    document: Data = None
    resource: Resource | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if ("document" in self.model_fields_set) == ("resource" in self.model_fields_set):
            raise mistake("a schema has either 'document' or 'resource'", "keep one: document holds the schema itself")
        return self


class Catalog(Model):
    endpoint: Endpoint = Field(examples=["https://github.com/example/catalog"])
