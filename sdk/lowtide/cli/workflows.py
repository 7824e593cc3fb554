"""``lowtide workflows``: look at workflows on a server; pause them, resume them, set their limits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["workflows"]

workflows: Final = typer.Typer(
    help="Look at workflows; pause, resume and limit them.", no_args_is_help=True, rich_markup_mode=None
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")]
_Names = Annotated[str | None, typer.Argument(metavar="NAME", help="The workflow's name; or --all.")]
_All = Annotated[bool, typer.Option("--all", help="All workflows of the namespace.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


@workflows.command("list", epilog=examples("lowtide workflows list"))
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List workflows by name, each with its newest version, and which of them are paused."""
    page = asyncio.run(_list(server, namespace, limit, cursor))
    show_page(page, {"NAME": "name", "VERSION": "version", "DEPLOYED": "createdAt", "STARTS": _state}, as_json=as_json)


def _state(item: dict[str, JSON]) -> str:
    paused, ramp = item.get("paused"), item.get("ramp")
    if paused:
        return f"paused ({paused['by']}): {paused['reason']}"
    return f"{ramp:g} per second" if ramp else ""


async def _list(server: str, namespace: str, limit: int, cursor: str | None) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.workflows(namespace, limit=limit, cursor=cursor)


@workflows.command(epilog=examples('lowtide workflows pause order --reason "the bank is down"'))
def pause(
    name: _Names = None,
    whole: _All = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Let starts wait, those of one workflow or of the whole namespace. What has begun goes on."""
    what = _one_of(name, whole)
    found = asyncio.run(_pause(server, namespace, what, reason))
    exits.say(f"{_named(namespace, what)} is paused since {found['paused']['since']}; starts wait: {found['waiting']}")


async def _pause(server: str, namespace: str, name: str | None, reason: str | None) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.pause(namespace, name, reason)


@workflows.command(epilog=examples("lowtide workflows resume order --ramp 10"))
def resume(
    name: _Names = None,
    whole: _All = False,
    ramp: Annotated[
        float | None, typer.Option(min=0.01, max=10_000, metavar="N", help="At most so many starts per second.")
    ] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Let what waits begin: at once, or --ramp starts per second until nothing waits any more."""
    what = _one_of(name, whole)
    found = asyncio.run(_resume(server, namespace, what, ramp))
    slowly = f", {found['ramp']:g} starts per second" if found["ramp"] else ""
    exits.say(f"{_named(namespace, what)} goes on{slowly}; starts wait: {found['waiting']}")
    if found["paused"]:
        exits.say("its namespace is paused: lowtide workflows resume --all")


async def _resume(server: str, namespace: str, name: str | None, ramp: float | None) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.resume_workflow(namespace, name, ramp)


@workflows.command(
    epilog=examples("lowtide workflows limits order", "lowtide workflows limits order --set limits.json", "… --unset")
)
def limits(
    name: _Name,
    given: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="JSON with limits that replace the document's.")
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Let the document's limits hold again.")] = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show a workflow's limits, whose they are and how many starts wait; or set other limits than the document's."""
    show_json(asyncio.run(_limits(server, namespace, name, given, unset)))


async def _limits(server: str, namespace: str, name: str, given: Path | None, unset: bool) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    if given is not None and unset:
        raise InvalidInput("give --set or --unset, not both")
    wanted = None if given is None else _read(given)
    async with Orchestrate(server) as api:
        if given is not None:
            return await api.set_limits(namespace, name, wanted)
        return await (api.unset_limits if unset else api.limits)(namespace, name)


def _read(file: Path) -> JSON:
    from lowtide.wire import json

    try:
        return json.parse(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"--set {file}: {error.strerror}") from error


def _one_of(name: str | None, whole: bool) -> str | None:
    """The workflow; ``None``: the namespace."""
    if (name is None) != whole:
        raise InvalidInput("give a workflow's NAME, or --all for the whole namespace")
    return name


def _named(namespace: str, name: str | None) -> str:
    return f"namespace {namespace}" if name is None else f"workflow {namespace}/{name}"
