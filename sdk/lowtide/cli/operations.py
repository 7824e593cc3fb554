"""``lowtide operations``: what is done to many executions at once, how far it has come, and stopping it.

``bulk`` begins one; it stands among the commands of ``executions``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, ask
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from lowtide.clients.orchestrate import Orchestrate

__all__ = ["begun", "bulk", "operations"]

operations: Final = typer.Typer(
    help="Look at bulk operations; follow and stop them.", no_args_is_help=True, rich_markup_mode=None
)

_PERIOD: Final = 0.5
_Id = Annotated[str, typer.Argument(metavar="ID", help="The operation's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
_Moment = Annotated[str | None, typer.Option(metavar="MOMENT", help="Such as 2026-11-23T09:30:00Z.")]


def bulk(
    action: Annotated[
        Literal["cancel", "suspend", "resume", "retry", "restart", "delete"],
        typer.Argument(help="What is done to each."),
    ],
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    workflow_version: Annotated[str | None, typer.Option(metavar="VERSION", help="Of this version.")] = None,
    phase: Annotated[list[str] | None, typer.Option(metavar="PHASE", help="In this phase; may be repeated.")] = None,
    error_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Faulted with this, as timeout.")] = None,
    created_after: _Moment = None,
    created_before: _Moment = None,
    ended_after: _Moment = None,
    ended_before: _Moment = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="P30D", help="Ended longer ago than this; instead of --ended-before.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the namespace.")] = False,
    rate: Annotated[float, typer.Option(metavar="N", help="So many per second.")] = 10.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; for cancel and suspend.")] = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="For retry and restart: instead of their own, or `latest`.")
    ] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Do something to all executions that the options mean together, so many per second; prints the operation's id.

    It goes on by itself, whatever process ends, and does nothing twice. Executions that begin later are not meant.
    """
    options = {
        "workflow": workflow,
        "version": workflow_version,
        "phase": phase or None,
        "errorType": error_type,
        "createdAfter": created_after,
        "createdBefore": created_before,
        "endedAfter": ended_after,
        "endedBefore": ended_before if older_than is None else _ago(older_than, ended_before),
        "all": everything or None,
    }
    said = {"reason": reason, "version": version}
    request = {
        "action": action,
        "filter": {name: value for name, value in options.items() if value is not None},
        "rate": rate,
        "dryRun": dry_run,
        **{name: value for name, value in said.items() if value is not None},
    }
    begun(ask(server, lambda api: api.operate(namespace, request)))


def _ago(older_than: str, ended_before: str | None) -> str:
    """The moment so long ago, as the API reads it."""
    from datetime import UTC, datetime, timedelta

    from lowtide.model.duration import to_millis
    from lowtide.runtime.clock import SystemClock

    if ended_before is not None:
        raise InvalidInput("--older-than and --ended-before say the same thing; write one of them")
    try:
        ago = timedelta(milliseconds=to_millis(older_than))
    except ValueError as error:
        raise InvalidInput(f"--older-than: {error}") from error
    moment = datetime.fromtimestamp(SystemClock().now() / 1000, UTC) - ago
    return moment.isoformat().replace("+00:00", "Z")


def begun(operation: dict[str, JSON]) -> None:
    """Tell of an operation that was asked for, or of what a dry run counted."""
    if "id" not in operation:
        exits.say(f"{operation['action']}: {operation['matched']} would be meant; nothing was done")
        return
    print(operation["id"])
    exits.say(f"{operation['action']} of {operation['matched']}; lowtide operations watch {operation['id']}")


@operations.command("list", epilog=examples("lowtide operations list"))
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List operations, newest first."""
    page = ask(server, lambda api: api.operations(namespace, limit=limit, cursor=cursor))
    counts = {name.upper(): name for name in ("matched", "done", "skipped", "failed")}
    columns = {"ID": "id", "ACTION": "action", "PHASE": "phase", **counts, "CREATED": "createdAt"}
    show_page(page, columns, as_json=as_json)


@operations.command(epilog=examples("lowtide operations show 01890a5d-ac96-774b-bcce-b302099a8057"))
def show(
    operation: _Id, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Show how far one operation has come, and its newest failures."""
    found = ask(server, lambda api: api.operation(namespace, operation))
    if as_json:
        show_json(found)
        return
    print(_progress(found))
    for problem in found["problems"]:
        print(f"  {problem['id']}  {problem['detail']}")


@operations.command(epilog=examples("lowtide operations watch 01890a5d-ac96-774b-bcce-b302099a8057"))
def watch(operation: _Id, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Follow one operation until it has completed (exit code 0) or was stopped (4); 3 where something failed."""
    found = ask(server, lambda api: _follow(api, namespace, operation))
    raise typer.Exit(exits.CANCELLED if found["phase"] == "stopped" else exits.FAULTED if found["failed"] else 0)


async def _follow(api: Orchestrate, namespace: str, operation: str) -> dict[str, JSON]:
    told = ""
    while True:
        found = await api.operation(namespace, operation)
        if (line := _progress(found)) != told:
            print(line, flush=True)
            told = line
        if found["phase"] != "running":
            return found
        await asyncio.sleep(_PERIOD)


@operations.command(epilog=examples("lowtide operations stop 01890a5d-ac96-774b-bcce-b302099a8057"))
def stop(operation: _Id, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Do nothing more of one operation; what it has done stays."""
    exits.say(_progress(ask(server, lambda api: api.stop_operation(namespace, operation))))


def _progress(operation: dict[str, JSON]) -> str:
    counts = ", ".join(f"{operation[name]} {name}" for name in ("done", "skipped", "failed"))
    return f"{operation['action']} {operation['phase']}: {counts} of {operation['matched']}"
