"""Which executions are meant: what lists and bulk operations are asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement

from lowtide.model.base import Noun
from lowtide.model.error import short_type
from lowtide.model.phase import Phase

from .tables import executions

__all__ = ["Filter", "conditions"]


class Filter(Noun, frozen=True, kw_only=True):
    """Executions of this workflow, version, in one of these phases, with this error, of this time; all that are set.

    ``error_type``: an error's type; of the standard's own the last segment is enough.
    """

    workflow: str | None = None
    version: str | None = None
    phases: tuple[Phase, ...] = msgspec.field(default=(), name="phase")
    error_type: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None


def conditions(namespace: str, wanted: Filter) -> list[ColumnElement[bool]]:
    """What a row of ``executions`` must fulfil."""
    column = executions.c
    found: list[Any] = [column.namespace == namespace]
    if wanted.workflow is not None:
        found.append(column.workflow == wanted.workflow)
    if wanted.version is not None:
        found.append(column.version == wanted.version)
    if wanted.phases:
        found.append(column.phase.in_(wanted.phases))
    if wanted.error_type is not None:
        found.append(column.error_type == short_type(wanted.error_type))
    # Ids begin with the moment of creation, and are what the indexes are sorted by.
    if wanted.created_after is not None:
        found.append(column.id >= _first_id(wanted.created_after))
    if wanted.created_before is not None:
        found.append(column.id < _first_id(wanted.created_before))
    if wanted.ended_after is not None:
        found.append(column.ended_at >= wanted.ended_after)
    if wanted.ended_before is not None:
        found.append(column.ended_at < wanted.ended_before)
    return found


def _first_id(moment: datetime) -> str:
    """The smallest UUIDv7 of a moment."""
    return str(UUID(int=max(0, int(moment.timestamp() * 1000)) << 80))
