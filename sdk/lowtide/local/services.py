"""The table of services: how many processes, how busy each may be, how one sees that it is ready, what it is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from .databases import Databases
from .options import Options

__all__ = ["MIGRATED", "SERVICES", "Addresses", "Name", "Secrets", "Service", "environment", "service_of"]

Name = Literal["execute", "ingest", "orchestrate", "analytics"]


@dataclass(frozen=True)
class Service:
    """``target``: requests in flight per process above which another one is started, up to ``maximum`` processes;
    ``limit``: requests that one process is ever given at once. For gRPC a request is an open connection."""

    name: Name
    target: int
    limit: int
    maximum: int
    protocol: Literal["http", "grpc"] = "http"


_LOOPBACK: Final = {"LOWTIDE_ALLOW_LOOPBACK": "true"}
_PROCESSORS: Final = os.cpu_count() or 2

SERVICES: Final[dict[Name, Service]] = {
    "orchestrate": Service("orchestrate", target=50, limit=200, maximum=2),
    "execute": Service("execute", target=20, limit=100, maximum=max(2, min(4, _PROCESSORS))),
    "ingest": Service("ingest", target=1000, limit=1000, maximum=1, protocol="grpc"),
    "analytics": Service("analytics", target=100, limit=200, maximum=1),
}


def service_of(name: Name, options: Options) -> Service:
    """A service as it was chosen for this platform."""
    service = SERVICES[name]
    if name != "execute":
        return service
    return replace(service, limit=options.concurrency, target=min(service.target, options.concurrency))


MIGRATED: Final[tuple[Name, ...]] = ("orchestrate", "ingest", "analytics")
"""The services that bring a store's tables up to date when they are called with ``migrate``."""


@dataclass(frozen=True)
class Secrets:
    """``key`` is that of dispatches and outcomes, ``operator`` the token of whoever may ask about all namespaces."""

    key: str
    operator: str


@dataclass(frozen=True)
class Addresses:
    """Where everything answers: base URLs without a slash at the end; ``ingest`` is host:port."""

    gateway: str
    ingest: str
    broker: str
    execute: str
    orchestrate: str
    analytics: str


def environment(
    service: Name, options: Options, databases: Databases, addresses: Addresses | None, secrets: Secrets
) -> dict[str, str]:
    """What one deployable is told, beyond what it inherits. Each store's URL goes to its own service alone."""
    nowhere = Addresses("", "127.0.0.1:0", *["http://127.0.0.1:0"] * 4)
    known = addresses or nowhere  # a migration talks to its database and to nobody else
    shared = {
        "LOWTIDE_KEY": secrets.key,
        "LOWTIDE_BROKER_URL": f"{known.broker}/",
        "LOWTIDE_INGEST_TARGET": known.ingest,
    }
    told: Mapping[str, str]
    match service:
        case "orchestrate":
            stores = {"LOWTIDE_CONTROL_URL": databases.control, "LOWTIDE_EXECUTE_URL": known.execute}
            told = {**shared, **stores, **_workflows_world(options), **_catalog(options)}
        case "execute":
            told = {**shared, "LOWTIDE_PUBLIC_URL": known.gateway, **_execute(options)}
        case "ingest":
            told = {"LOWTIDE_JOURNAL_URL": databases.journal, "LOWTIDE_ANALYTICS_URL": databases.analytics}
        case "analytics":
            own = {"LOWTIDE_ANALYTICS_URL": databases.analytics, "LOWTIDE_OPERATOR_TOKEN": secrets.operator}
            if databases.analysts:
                own["LOWTIDE_ANALYSTS_URL"] = databases.analysts
            told = {**own, "LOWTIDE_BROKER_URL": f"{known.broker}/", **_LOOPBACK}
    path = {"PYTHONPATH": os.pathsep.join(str(entry.resolve()) for entry in options.path)} if options.path else {}
    # Many processes on one machine cannot share one port: here /status and the log say how they do.
    here = {"LOWTIDE_HOST": "127.0.0.1", "LOWTIDE_METRICS_PORT": "0", "PYTHONUNBUFFERED": "1"}
    return {**here, **path, **told, **options.extra}


def _execute(options: Options) -> dict[str, str]:
    return _workflows_world(options) | ({"LOWTIDE_STEPS": ",".join(options.steps)} if options.steps else {})


def _catalog(options: Options) -> dict[str, str]:
    """A folder is given whole: processes may have other working directories."""
    if not options.catalog:
        return {}
    remote = options.catalog.startswith(("http://", "https://"))
    return {"LOWTIDE_CATALOG": options.catalog if remote else str(Path(options.catalog).resolve())}


def _workflows_world(options: Options) -> dict[str, str]:
    """What a workflow may reach and know, at its deployment and when it runs. On a laptop the services that it calls
    are on the same machine: loopback is allowed."""
    told = dict(_LOOPBACK)
    if options.secrets_directory is not None:
        told["LOWTIDE_SECRETS_DIR"] = str(options.secrets_directory.resolve())
    return told
