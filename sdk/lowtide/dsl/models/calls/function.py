"""``call`` of anything else: a function of ``use.functions``, of a catalog, by URL, or a registered step."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lowtide.dsl.models.task import TaskBase

__all__ = ["CallFunction"]


class CallFunction(TaskBase):
    call: str = Field(min_length=1)
    with_: dict[str, Any] | None = None
