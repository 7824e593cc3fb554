"""The adapters of one process, built from settings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lowtide.clients.broker import Broker
from lowtide.clients.ingest import IngestClient, Patience
from lowtide.effects import EffectTable, build
from lowtide.expressions import JqHost
from lowtide.expressions.secrets import FolderSecrets
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.runtime.chance import digits, new_owner, uniform
from lowtide.runtime.claims import Claims
from lowtide.runtime.clock import Clock, SystemClock, nanos
from lowtide.runtime.ports import History, Journal, Payloads
from lowtide.runtime.steps import StepRegistry
from lowtide.settings import ExecuteSettings
from lowtide.wire.types import SNAPSHOT_FORMAT, Extension, SnapshotFormat

if TYPE_CHECKING:
    from lowtide.telemetry.otlp import Traces

    from .listening import StepLogs

__all__ = ["Parts", "build_parts"]


class Parts(msgspec.Struct, eq=False):
    """What invocations share. ``stopping`` is set when the process was asked to end; ``steps`` hears what those say."""

    key: bytes
    clock: Clock
    host: JqHost
    effects: EffectTable
    publisher: Broker
    journal: Journal
    history: History
    ingest: IngestClient
    claims: Claims
    effect_timeout: float
    snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT
    stopping: bool = False
    traces: Traces | None = None
    steps: StepLogs | None = None

    def publisher_for(self, namespace: str, trace: str | None, *, echo: bool = False) -> Emitter:
        return Emitter(self.publisher, namespace, trace, echo=echo)

    async def close(self) -> None:
        if self.steps is not None:
            logging.getLogger().removeHandler(self.steps)
        await self.ingest.aclose()
        await self.effects.close()
        await self.publisher.close()
        self.host.close()
        if self.traces is not None:
            await self.traces.exporter.close()


class Emitter:
    """Publishes what workflows emit, stamped with the namespace in which it is to be matched."""

    def __init__(self, broker: Broker, namespace: str, trace: str | None, *, echo: bool = False) -> None:
        self._broker = broker
        self._namespace: dict[str, JSON] = {Extension.namespace: namespace}
        if echo:
            self._namespace[Extension.echo] = "true"
        self._trace: dict[str, JSON] = {}
        if trace:
            from lowtide.wire.traces import written

            self._trace.update(written(trace))

    async def publish(self, event: dict[str, JSON]) -> None:
        """A document may name its own trace, but never another namespace: that is the border between tenants."""
        await self._broker.publish({**self._trace, **event, **self._namespace})


def build_parts(settings: ExecuteSettings) -> Parts:
    """Needs a running event loop: the channel to ingest is opened at once, while the rest of the start goes on."""
    clock = SystemClock()
    ingest = IngestClient(
        settings.ingest_target,
        owner=new_owner(),
        clock=clock,
        chance=uniform,
        deadline=settings.open_deadline,
        patience=Patience(idle=settings.stream_idle),
        room=settings.history_room,
        room_bytes=settings.history_bytes,
    )
    ingest.start()
    traces = _traces(settings, ingest)
    registry = StepRegistry.load(settings.steps)

    async def callback(command: Perform, idempotency_key: str) -> JSON:
        from lowtide.effects.callback import Callbacks  # few workflows give out URLs: others do not pay for it

        return await Callbacks(settings.key, settings.public_url, clock).perform(command, idempotency_key)

    return Parts(
        key=settings.key,
        clock=clock,
        host=JqHost(secrets=FolderSecrets(settings.secrets_dir) if settings.secrets_dir else None),
        effects=build(
            clock=clock,
            step=registry.perform,
            callback=callback,
            allow_loopback=settings.allow_loopback,
            allow_files=settings.allow_files,
            allow_shell=settings.allow_shell,
            allow_script=settings.allow_script,
            process_memory=settings.process_memory,
            process_output=settings.process_output,
            http_timeout=settings.http_timeout,
            http_connect_timeout=settings.http_connect_timeout,
            http_read_timeout=settings.http_read_timeout,
            max_response_bytes=settings.max_response_bytes,
        ),
        publisher=Broker(settings.broker_url),
        journal=ingest,
        history=ingest,
        ingest=ingest,
        claims=Claims(
            _payloads(settings, ingest, traces),
            above=settings.claim_above,
            largest=settings.max_payload_bytes,
        ),
        effect_timeout=settings.http_timeout,
        snapshot_format=settings.snapshot_format,
        traces=traces,
        steps=_step_logs() if settings.steps else None,
    )


def _step_logs() -> StepLogs:
    from .listening import StepLogs

    steps = StepLogs()
    logging.getLogger().addHandler(steps)
    return steps


def _traces(settings: ExecuteSettings, ingest: IngestClient) -> Traces | None:
    if not settings.otlp_endpoint:
        return None
    from lowtide.telemetry.otlp import Traces
    from lowtide.telemetry.tracing import current

    ingest.traced(current)
    return Traces.of("execute", settings.otlp_endpoint, settings.trace_share, nanos, digits)


def _payloads(settings: ExecuteSettings, ingest: IngestClient, traces: Traces | None) -> Payloads:
    """The object store that the settings name, else ingest; as spans where there are traces."""
    kept: Payloads = ingest.payloads
    if settings.payloads:
        from lowtide.clients.objects import object_store

        kept = object_store(settings.payloads, settings.payloads_endpoint, settings.max_payload_bytes)
    if traces is None:
        return kept
    from lowtide.runtime.traced import TracedPayloads

    return TracedPayloads(kept, traces.tracer)
