"""Seeing what each task gave: the facts of an execution tell that a task ended, not what came out of it.

Every task of a plan gets an output schema that lets everything pass (around its own, where it has one); the host that
checks schemas keeps what it was shown. The engine itself is untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lowtide.expressions import JqHost
from lowtide.model.base import JSON
from lowtide.model.plan import Output, Plan, Schema, TaskBase

__all__ = ["WatchingHost", "watched"]

_MARK = "watched"


def watched(plan: Plan) -> Plan:
    """The same plan; the output of each of its tasks is shown to a :class:`WatchingHost`."""
    made = _watch(plan)
    assert isinstance(made, Plan)
    return made


def _watch(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_watch(item) for item in value)
    if isinstance(value, dict):
        return {key: _watch(item) for key, item in value.items()}
    if not isinstance(value, msgspec.Struct):
        return value
    members = {name: _watch(getattr(value, name)) for name in value.__struct_fields__ if name != "definition"}
    made = msgspec.structs.replace(value, **members)
    if not isinstance(made, TaskBase):
        return made
    output = made.output or Output()
    if output.schema is not None and output.schema.document is None:
        return made  # a resource that is still to be fetched stays as it is
    own = None if output.schema is None else output.schema.document
    marked = Schema(document={_MARK: made.name, "own": own})
    return msgspec.structs.replace(made, output=msgspec.structs.replace(output, schema=marked))


class WatchingHost(JqHost):
    """``seen``: the outputs of each task, by its name, in the order they came."""

    def __init__(self, secrets: Mapping[str, JSON]) -> None:
        super().__init__(secrets=secrets)
        self.seen: dict[str, list[JSON]] = {}

    def violations(self, schema: JSON, value: JSON) -> list[str]:
        if not isinstance(schema, dict) or _MARK not in schema:
            return super().violations(schema, value)
        wrong = [] if schema["own"] is None else super().violations(schema["own"], value)
        if not wrong:
            self.seen.setdefault(schema[_MARK], []).append(value)
        return wrong
