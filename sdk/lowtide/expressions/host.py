"""The engine's host: expressions within limits, JSON Schema, secrets."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

from lowtide.engine.host import ExpressionFailed, Variables, WouldWait
from lowtide.expressions.program import Programs, names, prepare
from lowtide.expressions.simple import Exactness, Unsure
from lowtide.expressions.worker import Worker
from lowtide.model.base import JSON, Millis, Value

if TYPE_CHECKING:
    from lowtide.expressions.schema import Validators

__all__ = ["JqHost", "Limits"]


class Limits(Value, frozen=True):
    """Bounds of one expression: bytes of JSON that go in or out, seconds of wall time, bytes of the worker's memory.
    What is evaluated without jq needs none: it copies nothing."""

    input_bytes: int = 16 * 1024 * 1024
    seconds: float = 2.0
    memory_bytes: int = 1024 * 1024 * 1024


class JqHost:
    """Implements :class:`lowtide.engine.host.Host` with libjq 1.8 and JSON Schema 2020-12."""

    def __init__(
        self,
        *,
        secrets: Mapping[str, JSON] | None = None,
        version: str = "0.1.0",
        metadata: dict[str, JSON] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._secrets: Mapping[str, JSON] = {} if secrets is None else secrets
        self._runtime: dict[str, JSON] = {"name": "lowtide", "version": version, "metadata": metadata or {}}
        self._limits = limits or Limits()
        self._programs = Programs()
        self._worker = Worker(self._limits.seconds, self._limits.memory_bytes, self._limits.input_bytes)
        self._exactness = Exactness()
        self._patient = True

    @property
    def secrets(self) -> Mapping[str, JSON]:
        return self._secrets

    @property
    def runtime(self) -> dict[str, JSON]:
        return self._runtime

    @cached_property
    def _validators(self) -> Validators:
        from lowtide.expressions.schema import Validators

        return Validators()

    @cached_property
    def impatient(self) -> JqHost:
        """The same host for whoever may not wait: it raises :class:`lowtide.engine.host.WouldWait` instead."""
        twin = copy(self)
        twin._patient = False
        return twin

    def evaluate(self, program: str, value: JSON, variables: Variables, now: Millis) -> JSON:
        prepared = prepare(program)
        function = prepared.function
        if function is not None:
            try:
                return self._exactness.check(function(value, prepared.bind(variables) if prepared.names else {}))
            except Unsure:
                pass  # jq knows, or has the right words for what is wrong
        wrapped, text = prepared.request(value, variables, now)
        if len(text) > self._limits.input_bytes:
            limit = self._limits.input_bytes
            raise ExpressionFailed(f"its input is {len(text)} bytes of JSON, more than {limit}")
        cost = prepared.cost or prepared.measure()
        if len(text) <= cost.length or cost.is_cheap(text):
            return self._programs.first(wrapped, text)
        if not self._patient:
            raise WouldWait
        return self._worker.first(wrapped, text)

    def names(self, program: str) -> frozenset[str]:
        return names(program)

    def violations(self, schema: JSON, value: JSON) -> list[str]:
        from lowtide.expressions.schema import may_take_long

        if not may_take_long(schema):
            return self._validators.violations(schema, value)
        if not self._patient:
            raise WouldWait
        try:
            found: list[str] = self._worker.violations(schema, value)
        except ExpressionFailed as failure:
            return [f"/: a pattern of the schema cannot be tried on it: {failure}"]
        return found

    def close(self) -> None:
        """End the worker process, if one was started."""
        self._worker.close()
