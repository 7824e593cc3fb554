"""``input``, ``output`` and ``export`` of workflows and tasks."""

from __future__ import annotations

from lowtide.dsl.models.base import Model
from lowtide.dsl.models.resource import Schema
from lowtide.dsl.models.values import Flow

__all__ = ["Export", "Input", "Output"]


class Input(Model):
    schema_: Schema | None = None
    from_: Flow | None = None


class Output(Model):
    schema_: Schema | None = None
    as_: Flow | None = None


class Export(Model):
    schema_: Schema | None = None
    as_: Flow | None = None
