"""What one can choose about the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["DEFAULT_DATA_DIRECTORY", "GRPC_PORT", "HTTP_PORT", "Options"]

DEFAULT_DATA_DIRECTORY: Final = Path(".lowtide")
HTTP_PORT: Final = 8080
GRPC_PORT: Final = 9090


@dataclass(frozen=True, kw_only=True)
class Options:
    """Times in seconds. Port 0 is any free port.

    ``database_url`` names one PostgreSQL server, on which the databases are made where they are missing; the four
    single URLs name databases that exist. Without any of them PostgreSQL runs inside the data directory.
    ``concurrency``: dispatches that one process of execute is given at once (``containerConcurrency`` on Knative).
    ``steps`` are modules with step functions, found in ``path``, the working directory, or the environment.
    ``catalog`` is the default catalog of functions, a URL or a folder.
    ``extra`` are environment variables for all deployables (``LOWTIDE_*`` tunables).
    """

    data_directory: Path = DEFAULT_DATA_DIRECTORY
    host: str = "127.0.0.1"
    port: int = HTTP_PORT
    grpc_port: int = GRPC_PORT
    database_url: str | None = None
    control_url: str | None = None
    journal_url: str | None = None
    analytics_url: str | None = None
    broker_database_url: str | None = None
    idle: float = 10.0
    tick: float = 60.0
    stop_grace: float = 5.0
    start_timeout: float = 60.0
    concurrency: int = 100
    steps: tuple[str, ...] = ()
    path: tuple[Path, ...] = ()
    secrets_directory: Path | None = None
    catalog: str = ""
    fsync: bool = True
    verbose: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
