"""``lowtide executions``: look at executions on a server, follow, suspend, resume and cancel them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import examples, show_json, show_table
from lowtide.cli.start import seconds_of
from lowtide.model.base import JSON

__all__ = ["executions"]

executions: Final = typer.Typer(
    help="Look at executions; follow, suspend, resume and cancel them.", no_args_is_help=True, rich_markup_mode=None
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


@executions.command("list", epilog=examples("lowtide executions list --workflow order --phase waiting"))
def list_(
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow alone.")] = None,
    phase: Annotated[str | None, typer.Option(metavar="PHASE", help="In this phase alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List executions, newest first."""
    page = asyncio.run(_list(server, namespace, workflow, phase, limit, cursor))
    if as_json:
        show_json(page)
        return
    show_table(
        ("ID", "WORKFLOW", "VERSION", "PHASE", "CREATED"),
        [
            tuple(str(item.get(name, "")) for name in ("id", "workflow", "version", "phase", "createdAt"))
            for item in page["items"]
        ],
    )
    if page.get("next"):
        exits.say(f"there are more: --cursor {page['next']}")


async def _list(
    server: str, namespace: str, workflow: str | None, phase: str | None, limit: int, cursor: str | None
) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.executions(namespace, workflow=workflow, phase=phase, limit=limit, cursor=cursor)


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


@executions.command(epilog=examples("lowtide executions cancel 01890a5d-ac96-774b-bcce-b302099a8057"))
def cancel(
    execution: _Id,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Cancel one execution, its children and its calls in flight. It ends a moment after this returns."""
    asked = asyncio.run(_cancel(server, namespace, execution, reason))
    if asked.get("endedAt"):
        exits.say(f"{execution} has ended: {asked['phase']}")
    else:
        exits.say(f"asked {execution} to cancel; follow it with: lowtide executions watch {execution}")


async def _cancel(server: str, namespace: str, execution: str, reason: str | None) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.cancel(namespace, execution, reason)


@executions.command(epilog=examples("lowtide executions suspend 01890a5d-ac96-774b-bcce-b302099a8057"))
def suspend(
    execution: _Id,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Suspend one execution: what it waits for is kept until it is resumed.

    One that runs is suspended as soon as its calls in flight have ended.
    """
    found = asyncio.run(_suspend(server, namespace, execution, reason))
    if found["phase"] == "suspended":
        exits.say(f"{execution} is suspended; go on with: lowtide executions resume {execution}")
    else:
        exits.say(f"{execution} still runs; it is suspended as soon as its calls in flight have ended")


async def _suspend(server: str, namespace: str, execution: str, reason: str | None) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.suspend(namespace, execution, reason)


@executions.command(epilog=examples("lowtide executions resume 01890a5d-ac96-774b-bcce-b302099a8057"))
def resume(execution: _Id, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Let a suspended execution go on, also one that the platform suspended because its dispatches led nowhere."""
    found = asyncio.run(_resume(server, namespace, execution))
    exits.say(f"{execution} goes on: {found['phase']}")


async def _resume(server: str, namespace: str, execution: str) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.resume(namespace, execution)
