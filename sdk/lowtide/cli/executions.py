"""``lowtide executions``: look at executions on a server and follow them.

``orders`` has what is told to one, ``repeating`` what begins another one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from lowtide.cli import exits
from lowtide.cli.operations import bulk
from lowtide.cli.orders import cancel, delete, resume, suspend
from lowtide.cli.repeating import fork, restart, retry
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of, ask
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.cli.start import seconds_of
from lowtide.model.base import JSON

__all__ = ["executions"]

executions: Final = typer.Typer(
    help="Look at executions; follow, suspend, resume, cancel, retry, restart, fork and delete them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_EXAMPLE: Final = "01890a5d-ac96-774b-bcce-b302099a8057"

for order in (cancel, suspend, resume):
    executions.command(epilog=examples(f"lowtide executions {order.__name__} {_EXAMPLE}"))(order)
executions.command(
    epilog=examples(
        f"lowtide executions delete {_EXAMPLE}",
        "lowtide executions list --workflow order --json | jq -r '.items[].id' | xargs lowtide executions delete",
    )
)(delete)
executions.command(
    epilog=examples(
        "lowtide executions bulk retry --workflow order --error-type communication --rate 5 --dry-run",
        "lowtide executions bulk cancel --workflow order --phase waiting --reason 'ordered twice'",
        "lowtide executions bulk delete --workflow order --older-than P30D --rate 100",
    )
)(bulk)
executions.command(
    epilog=examples(f"lowtide executions retry {_EXAMPLE}", f"lowtide executions retry {_EXAMPLE} --version latest")
)(retry)
executions.command(
    epilog=examples(f"lowtide executions restart {_EXAMPLE}", f"lowtide executions restart {_EXAMPLE} --version 1.2.0")
)(restart)
executions.command(
    epilog=examples(
        f"lowtide executions fork {_EXAMPLE} --task charge",
        f'lowtide executions fork {_EXAMPLE} --task /do/1/each/do/0/send@1.2.3.1 --task-input \'{{"to": "Ada"}}\'',
        f"lowtide executions fork {_EXAMPLE} --task ship --context '{{\"paid\": true}}' --version latest",
    )
)(fork)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


@executions.command("list", epilog=examples("lowtide executions list --workflow order --phase waiting"))
def list_(
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow alone.")] = None,
    phase: Annotated[str | None, typer.Option(metavar="PHASE", help="In this phase alone.")] = None,
    error_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Faulted with this, as timeout.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List executions, newest first."""
    wanted = {"workflow": workflow, "phase": phase, "errorType": error_type}
    page = ask(server, lambda api: api.executions(namespace, limit=limit, cursor=cursor, **wanted))
    columns = {"ID": "id", "WORKFLOW": "workflow", "VERSION": "version", "PHASE": "phase", "CREATED": "createdAt"}
    show_page(page, columns, as_json=as_json)


@executions.command(epilog=examples("lowtide executions show 01890a5d-ac96-774b-bcce-b302099a8057"))
def show(
    execution: _Id, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Show one execution: its phase, what it waits for, its timeline, its outcome."""
    from lowtide.cli.execution_shown import show_execution

    found, timeline = asyncio.run(_show(server, namespace, execution, with_timeline=not as_json))
    if as_json:
        show_json(found)
    else:
        show_execution(found, timeline)


async def _show(
    server: str, namespace: str, execution: str, *, with_timeline: bool
) -> tuple[dict[str, JSON], list[dict[str, JSON]]]:
    from lowtide.clients.analytics import Analytics
    from lowtide.clients.orchestrate import Orchestrate
    from lowtide.errors import LowtideError

    async with Orchestrate(server) as api, Analytics(analytics_of(server)) as analytics:
        found = await api.execution(namespace, execution)
        if not with_timeline:
            return found, []
        try:
            return found, (await analytics.timeline(namespace, execution))["items"]
        except LowtideError as error:
            exits.say(f"no timeline: {error}")
            return found, []


@executions.command(epilog=examples("lowtide executions explain 01890a5d-ac96-774b-bcce-b302099a8057"))
def explain(
    execution: _Id, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Say why one execution is where it is: for what it waits, since when, and what would wake it."""
    found = ask(server, lambda api: api.explanation(namespace, execution))
    if as_json:
        show_json(found)
        return
    since = f" since {found['since']}" if found.get("since") else ""
    print(f"{found['phase']}{since}  {found['execution']}")
    for sentence in found["sentences"]:
        print(f"  {sentence}")


@executions.command(
    epilog=examples("lowtide executions watch 01890a5d-ac96-774b-bcce-b302099a8057 --timeout 2m"),
)
def watch(
    execution: _Id,
    timeout: Annotated[str | None, typer.Option(metavar="30s", help="Give up after this long.")] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Follow one execution until it ends.

    The exit code tells the outcome: 0 completed, 3 faulted, 4 cancelled, 5 not ended within --timeout.
    """
    from lowtide.cli.execution_shown import follow

    limit = None if timeout is None else seconds_of(timeout, "--timeout")
    phase = asyncio.run(follow(server, namespace, execution, limit))
    raise typer.Exit(exits.of_phase(phase))
