"""The gRPC server around the service: its parts, health, reflection, the background work, draining."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Final

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lowtide.errors import Misconfigured, Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.rpc.v1 import ingest_pb2_grpc
from lowtide.runtime.chance import digits
from lowtide.runtime.clock import nanos
from lowtide.settings import IngestSettings
from lowtide.storage.database import Connection, Database
from lowtide.telemetry.measures import Measure
from lowtide.telemetry.otlp import Traces, sending
from lowtide.telemetry.serving import serving_measures
from lowtide.telemetry.tracing import Tracer

from .committing import Committer
from .days import Keeper
from .measuring import measures
from .owners import Voices, forget_owners
from .probing import Probes
from .projecting import Projector
from .retention import retention_of
from .service import IngestService
from .signalling import Signals
from .stream import Journalist
from .tracing import TracedCalls

__all__ = ["serve"]

log = logging.getLogger("lowtide.ingest.server")

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["Ingest"].full_name
_TIDY_EVERY: Final = 60.0

_OPTIONS: Final = [
    # Records are small, payloads come in chunks: only what a client of another version sends is ever near to it.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # A client that vanished without a word is noticed by pings, and one that pings itself is welcome.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.so_reuseport", 0),
]


@contextlib.asynccontextmanager
async def serve(settings: IngestSettings) -> AsyncIterator[int]:
    """Listens while the context lasts; yields the port. Leaving drains: what was received is committed first."""
    traces = Traces.of("ingest", settings.otlp_endpoint, settings.trace_share, nanos, digits)
    async with sending(traces), _serve(settings, traces) as port:
        yield port


@contextlib.asynccontextmanager
async def _serve(settings: IngestSettings, traces: Traces | None) -> AsyncIterator[int]:
    retention = retention_of(settings.retain_analytics)
    # One connection of the journal's share listens for signals, one commits, the others answer calls.
    journal = Database("journal", settings.journal_url, max(1, settings.journal_connections - 2))
    commits = Database("journal", settings.journal_url, 1)
    analytics = Database("analytics", settings.analytics_url, max(1, settings.analytics_connections))
    voices = Voices(settings.lease_ttl)
    tracer = None if traces is None else traces.tracer
    to = Journalist(Committer(commits, voices, settings.lease_ttl, tracer), Projector(analytics), Signals(journal))
    service = IngestService(
        journal,
        to,
        voices,
        ttl=settings.lease_ttl,
        lost_ttl=settings.lost_stream_ttl,
        stream_lifetime=settings.stream_lifetime,
        largest_payload=settings.max_payload_bytes,
    )
    probes = Probes({"journal": journal, "analytics": analytics})
    server = _server(service, probes, tracer, to.projector if settings.otlp_intake else None)
    port = _bind(server, settings.host, settings.port)
    background = [
        asyncio.create_task(work)
        for work in (
            to.committer.run(),
            to.projector.run(),
            to.signals.run(),
            _tidy(journal, to.signals),
            Keeper(analytics, retention).run(),
        )
    ]
    warming = [asyncio.create_task(_warm(database)) for database in (journal, commits)]
    for task in background:
        task.add_done_callback(_report)
    known = measures(service, to, {"answers": journal, "commits": commits, "reports": analytics})

    async def asked() -> Sequence[Measure]:
        return [*known(), *(traces.measures() if traces is not None else ())]

    await server.start()
    await probes.set(_SERVICE, health_pb2.HealthCheckResponse.SERVING)
    try:
        async with serving_measures("ingest", settings.host, settings.metrics_port, asked):
            yield port
    finally:
        await probes.enter_graceful_shutdown()
        await _drain(service, to, settings.shutdown_grace)
        await server.stop(grace=1.0)
        for task in (*background, *warming):
            task.cancel()
        await asyncio.gather(*background, *warming, return_exceptions=True)
        for database in (journal, commits, analytics):
            await database.close()


def _server(
    service: IngestService, probes: health_pb2_grpc.HealthServicer, tracer: Tracer | None, otlp: Projector | None
) -> grpc.aio.Server:
    """``otlp``: where logs and metrics of others go, if they are taken."""
    server = grpc.aio.server(options=_OPTIONS, interceptors=[] if tracer is None else [TracedCalls(tracer)])
    ingest_pb2_grpc.add_IngestServicer_to_server(service, server)  # type: ignore[no-untyped-call]  # generated
    health_pb2_grpc.add_HealthServicer_to_server(probes, server)
    others = () if otlp is None else _take_otlp(server, otlp)
    reflection.enable_server_reflection((_SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME, *others), server)
    return server


def _take_otlp(server: grpc.aio.Server, projector: Projector) -> tuple[str, ...]:
    """The names of the services that take them. Raises :class:`lowtide.errors.Misconfigured` without their library."""
    try:
        from .otlp import SERVICES, add_otlp
    except ImportError as error:
        raise Misconfigured(f"LOWTIDE_OTLP_INTAKE needs the extra lowtide[otel]: {error}") from error
    add_otlp(server, projector)
    return SERVICES


def _bind(server: grpc.aio.Server, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return int(server.add_insecure_port(address))
    except RuntimeError as error:
        raise Unavailable(f"cannot listen on {address}: is the port in use?") from error


async def _drain(service: IngestService, to: Journalist, grace: float) -> None:
    try:
        async with asyncio.timeout(grace):
            await service.drain("this replica ends")
            await to.committer.drained()
            await to.projector.drained()
    except TimeoutError:
        log.warning("not everything was written within the grace", extra={"grace": grace})


async def _warm(database: Database) -> None:
    """Connect before the first call needs it, and say at once if that is not possible."""

    async def nothing(connection: Connection) -> None:
        await connection.execute("SELECT 1")

    try:
        await database.transaction(nothing)
    except Unavailable as error:
        log.warning("not ready yet", extra={"reason": str(error)})


async def _tidy(database: Database, signals: Signals) -> None:
    """Now and then remove what nobody will ask for again."""

    async def forget(connection: Connection) -> None:
        await forget_owners(connection)
        await signals.forget(connection)

    while True:
        await asyncio.sleep(_TIDY_EVERY)
        try:
            await database.transaction(forget)
        except (Unavailable, psycopg.Error) as error:
            log.warning("tidying waits", extra={"reason": str(error)})


def _report(task: asyncio.Task[None]) -> None:
    """A background task never ends by itself: if it does, that is a mistake of ours, and a new process is better."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a background task failed; this replica ends", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
