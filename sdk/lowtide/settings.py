"""Settings of the deployables, read from the environment here and nowhere else.

Composition roots (``__main__`` modules, ``lowtide.local``, the CLI) read them and hand single values on; a settings
object never travels further. Durations are seconds unless the name says otherwise.

    variable                     who                          meaning
    PORT                         all                          port to listen on (Knative sets it)
    LOWTIDE_HOST                 all                          address to listen on
    LOWTIDE_METRICS_PORT         all                          port of Prometheus metrics; 0 (default): none
    LOWTIDE_OTLP_ENDPOINT        all                          where traces go, OTLP over gRPC; empty (default): nowhere
                                                              (or OTEL_EXPORTER_OTLP_ENDPOINT, unless OTEL_SDK_DISABLED)
    LOWTIDE_TRACE_SHARE          all                          of the traces that begin here, how many are recorded (1.0)
    LOWTIDE_KEY                  orchestrate execute          shared secret of dispatches and outcomes
    LOWTIDE_CONTROL_URL          orchestrate                  PostgreSQL of the control store
    LOWTIDE_JOURNAL_URL          ingest                       PostgreSQL of the journal
    LOWTIDE_ANALYTICS_URL        ingest, analytics            PostgreSQL of the analytics store
    LOWTIDE_PRICES               analytics                    a price list: a preset's name, or a file (docs/cost.md)
    LOWTIDE_ANALYSTS_URL         analytics                    PostgreSQL of analytics for SQL, as a role of its own
    LOWTIDE_OPERATOR_TOKEN       analytics                    who shows it may ask about all namespaces; empty: nobody
    LOWTIDE_BROKER_URL           orchestrate execute          where CloudEvents are posted (analytics: those of alerts)
                                 analytics
    LOWTIDE_EXECUTE_URL          orchestrate                  execute, for synchronous starts
    LOWTIDE_INGEST_TARGET        orchestrate execute          host:port of ingest's gRPC
    LOWTIDE_LIFECYCLE            orchestrate                  lifecycle events: none, workflow (default), task, all
    LOWTIDE_RETAIN               orchestrate                  how long executions are kept after their end, as P30D
    LOWTIDE_RETAIN_ANALYTICS     ingest                       how long analytics keeps what, as logs=P14D,shop/logs=P2D
    LOWTIDE_PUBLIC_URL           execute                      where the world reaches the API, for callback URLs
    LOWTIDE_STEPS                execute                      modules with step functions, comma-separated
    LOWTIDE_SECRETS_DIR          orchestrate execute          one file (or folder of files) per secret
    LOWTIDE_CATALOG              orchestrate                  the default catalog of functions: a URL or a folder
    LOWTIDE_BROKER_DATABASE_URL  the laptop's broker          PostgreSQL of events from outside
    LOWTIDE_ORCHESTRATE_URL      the laptop's broker          where outcomes, ticks and events are delivered
    LOWTIDE_ANALYTICS_API_URL    the laptop's broker          where alert rules are asked for
    LOWTIDE_PAYLOADS             orchestrate execute          large data: empty (ingest keeps it) or s3://bucket/prefix
    LOWTIDE_PAYLOADS_ENDPOINT    orchestrate execute          URL of an S3-compatible store; empty: Amazon's
    LOWTIDE_CLAIM_ABOVE          orchestrate execute          bytes above which data travels as a reference (256 KiB)
    LOWTIDE_MAX_PAYLOAD_BYTES    orchestrate execute ingest   bytes that one piece of data may have (64 MiB)
    LOWTIDE_SNAPSHOT_FORMAT      orchestrate execute          what states are written in: 2 (default), or 1 in a rollout
    LOWTIDE_ALLOW_CONTAINER      orchestrate                  whether `run: container` may run anything
    LOWTIDE_CONTAINERS           orchestrate                  who runs them: local (Docker, Podman) or kubernetes (Jobs)
    and the tunables below, each LOWTIDE_ + its field's name in capitals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args, get_origin

import msgspec

from lowtide.errors import Misconfigured
from lowtide.wire.types import SNAPSHOT_FORMAT, Level, SnapshotFormat

__all__ = [
    "AnalyticsSettings",
    "BrokerSettings",
    "ExecuteSettings",
    "IngestSettings",
    "MigrateSettings",
    "OrchestrateSettings",
    "whole_environment",
]


_OTLP: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class _FromEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Fills a Struct from ``LOWTIDE_*`` variables; a field without a default is required."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Raises :class:`lowtide.errors.Misconfigured` naming every variable that is missing or does not fit."""
        source = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in msgspec.structs.fields(cls):
            name = _name_of(field.name, source)
            if name not in source:
                if field.required:
                    wrong.append(f"{name} is not set")
                continue
            try:
                values[field.name] = _convert(source[name], field.type)
            except ValueError as error:
                wrong.append(f"{name}={source[name]!r}: {error}")
        if wrong:
            raise Misconfigured("; ".join(wrong))
        return cls(**values)


def _name_of(field: str, source: Mapping[str, str]) -> str:
    """The variable of a field: those of OpenTelemetry's own serve as well, the more special before the general one."""
    ours = "PORT" if field == "port" else f"LOWTIDE_{field.upper()}"
    others = _OTLP if field == "otlp_endpoint" and source.get("OTEL_SDK_DISABLED", "").lower() != "true" else ()
    return next((name for name in (ours, *others) if name in source), ours)


def _convert(text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ValueError("expected true or false")
        return text.lower() in {"true", "1"}
    if get_origin(kind) is Literal:
        options = {str(option): option for option in get_args(kind)}
        if text not in options:
            raise ValueError(f"expected one of {', '.join(options)}")
        return options[text]
    if kind is bytes:
        return text.encode()
    if kind is Path or kind == Path | None:
        return Path(text)
    if kind == timedelta | None:
        from lowtide.model.ours import retention  # here: execute starts without it

        return timedelta(milliseconds=retention(text)) if text else None
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return kind(text)


class ExecuteSettings(_FromEnvironment, frozen=True, kw_only=True):
    key: bytes
    broker_url: str
    ingest_target: str
    port: int = 8080
    host: str = "0.0.0.0"
    metrics_port: int = 0
    otlp_endpoint: str = ""
    trace_share: float = 1.0
    public_url: str = ""
    steps: tuple[str, ...] = ()
    secrets_dir: Path | None = None
    allow_loopback: bool = False
    allow_files: bool = False
    allow_shell: bool = False
    allow_script: bool = False
    process_memory: int = 256 * 1024 * 1024
    process_output: int = 1024 * 1024
    http_timeout: float = 30.0
    http_connect_timeout: float = 10.0
    http_read_timeout: float = 120.0
    max_response_bytes: int = 8 * 1024 * 1024
    open_deadline: float = 15.0
    stream_idle: float = 3.0
    history_room: int = 10_000
    history_bytes: int = 16 * 1024 * 1024
    payloads: str = ""
    payloads_endpoint: str = ""
    claim_above: int = 256 * 1024
    max_payload_bytes: int = 64 * 1024 * 1024
    snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT


class IngestSettings(_FromEnvironment, frozen=True, kw_only=True):
    journal_url: str
    analytics_url: str
    port: int = 8080
    host: str = "0.0.0.0"
    metrics_port: int = 0
    otlp_endpoint: str = ""
    trace_share: float = 1.0
    retain_analytics: str = ""
    otlp_intake: bool = False
    journal_connections: int = 4
    analytics_connections: int = 2
    lease_ttl: float = 15.0
    lost_stream_ttl: float = 5.0
    stream_lifetime: float = 240.0
    shutdown_grace: float = 10.0
    max_payload_bytes: int = 64 * 1024 * 1024


class OrchestrateSettings(_FromEnvironment, frozen=True, kw_only=True):
    key: bytes
    control_url: str
    broker_url: str
    execute_url: str
    ingest_target: str
    port: int = 8080
    host: str = "0.0.0.0"
    metrics_port: int = 0
    otlp_endpoint: str = ""
    trace_share: float = 1.0
    connections: int = 8
    max_body_bytes: int = 10 * 1024 * 1024
    budget: float = 240.0
    short_wait: float = 5.0
    token_lifetime: float = 3600.0
    tick_horizon: float = 90.0
    overdue_per_second: float = 1000.0
    lost_after: float = 120.0
    lost_attempts: int = 8
    max_outstanding: int = 1000
    keep_events: float = 86_400.0
    cancel_grace: float = 10.0
    retain: timedelta | None = None
    lifecycle: Level = "workflow"
    shutdown_grace: float = 25.0
    catalog: str = ""
    secrets_dir: Path | None = None
    allow_loopback: bool = False
    fetch_timeout: float = 10.0
    fetch_patience: float = 30.0
    allow_container: bool = False
    containers: Literal["local", "kubernetes"] = "local"
    container_namespace: str = "default"
    container_kubeconfig: Path | None = None
    container_memory: int = 512 * 1024 * 1024
    container_cpus: float = 1.0
    container_user: int = 65532
    container_output: int = 1024 * 1024
    container_seconds: float = 3600.0
    container_start: float = 300.0
    payloads: str = ""
    payloads_endpoint: str = ""
    claim_above: int = 256 * 1024
    max_payload_bytes: int = 64 * 1024 * 1024
    snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT


class AnalyticsSettings(_FromEnvironment, frozen=True, kw_only=True):
    analytics_url: str
    port: int = 8080
    host: str = "0.0.0.0"
    metrics_port: int = 0
    otlp_endpoint: str = ""
    trace_share: float = 1.0
    prices: str = "google-cloud-run"
    operator_token: bytes = b""
    analysts_url: str = ""
    analysts_connections: int = 1
    connections: int = 6
    statement_timeout: float = 15.0
    broker_url: str = ""
    allow_loopback: bool = False
    alert_delay: float = 5.0
    alert_patience: float = 86_400.0


class MigrateSettings(_FromEnvironment, frozen=True, kw_only=True):
    """What the migrations of the stores read: each its own address, as an owner of the tables."""

    control_url: str = ""
    journal_url: str = ""
    analytics_url: str = ""
    analysts_url: str = ""


class BrokerSettings(_FromEnvironment, frozen=True, kw_only=True):
    """The laptop's broker; on Knative there is no such process."""

    broker_database_url: str
    execute_url: str
    orchestrate_url: str
    analytics_api_url: str
    port: int = 8080
    host: str = "127.0.0.1"
    concurrency: int = 500
    max_queued: int = 20_000
    shutdown_grace: float = 3.0


def whole_environment() -> dict[str, str]:
    """A copy of this process's environment, to hand on to a process that it starts."""
    return dict(os.environ)
