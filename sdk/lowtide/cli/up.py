"""``lowtide up``: the laptop platform, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowtide.cli import exits
from lowtide.cli.catalog import Catalog

if TYPE_CHECKING:
    from lowtide.local.options import Options

__all__ = ["up"]


def up(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", envvar="LOWTIDE_DATA_DIR", help="Where everything is kept.")
    ] = Path(".lowtide"),
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP; 0: any free port.")] = 8080,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC; 0: any free port.")] = 9090,
    database_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A PostgreSQL server to use; databases are made where they are missing."),
    ] = None,
    control_url: Annotated[str | None, typer.Option(metavar="URL", help="One database…")] = None,
    journal_url: Annotated[str | None, typer.Option(metavar="URL", help="…per store…")] = None,
    analytics_url: Annotated[str | None, typer.Option(metavar="URL", help="…instead of --database-url.")] = None,
    broker_database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The broker's; else made beside the control database.")
    ] = None,
    idle: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Idle time after which a process ends.")] = 10,
    tick: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between two ticks.")] = 60,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Dispatches at once per execute process.")] = 100,
    steps: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="A module with step functions; may be repeated.")
    ] = None,
    path: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Where they are; may be repeated.")] = None,
    secrets_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="One file per secret.")] = None,
    catalog: Catalog = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what all processes write.")] = False,
) -> None:
    """Run the platform on this machine: PostgreSQL, broker, and all services, from zero and back, until Ctrl-C.

    Exit codes: 0 ended by Ctrl-C or SIGTERM, 6 a port is in use, 7 the data directory is in use, 8 it is damaged,
    9 a database cannot be reached, 10 a service does not start, 130 killed by a second Ctrl-C.
    """
    try:
        from lowtide.cli.up_live import serve
        from lowtide.local.options import Options
    except ModuleNotFoundError as error:
        exits.say(f"lowtide: {error.name} is not installed; the platform needs lowtide[local]")
        raise SystemExit(exits.FAILED) from error
    options: Options = Options(
        data_directory=data_dir,
        host=host,
        port=port,
        grpc_port=grpc_port,
        database_url=database_url,
        control_url=control_url,
        journal_url=journal_url,
        analytics_url=analytics_url,
        broker_database_url=broker_database_url,
        idle=idle,
        tick=tick,
        concurrency=concurrency,
        steps=tuple(steps or ()),
        path=tuple(path or ()),
        secrets_directory=secrets_dir,
        catalog=catalog,
        verbose=verbose,
    )
    raise SystemExit(serve(options))
