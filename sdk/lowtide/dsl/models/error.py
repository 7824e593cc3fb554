"""Errors: what is raised, and what a ``catch`` looks for."""

from __future__ import annotations

from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from lowtide.dsl.models.base import Model, mistake
from lowtide.dsl.models.values import Uri
from lowtide.dsl.templates import whole

__all__ = ["ErrorDefinition", "ErrorFilter"]


def _status(value: Any) -> Any:
    if type(value) is int and 100 <= value <= 599:
        return value
    if isinstance(value, str) and whole(value) is not None:
        return value
    raise mistake(f"{value!r} is not a status", "write a number from 100 to 599, as in status: 400")


Status: TypeAlias = Annotated[Any, AfterValidator(_status)]


class ErrorDefinition(Model):
    """An error; its status may be computed, which the schema of the standard does not foresee."""

    type: Uri = Field(examples=["https://example.com/errors/out-of-stock"])
    status: Status = Field(examples=[400])
    instance: str | None = None
    title: str | None = None
    detail: str | None = None


class ErrorFilter(Model):
    """Literal values to compare with; computed conditions go into ``catch.when``."""

    type: str | None = None
    status: int | None = None
    instance: str | None = None
    title: str | None = None
    detail: str | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise mistake("the filter is empty and would catch nothing by itself", "give a type or a status")
        return self
