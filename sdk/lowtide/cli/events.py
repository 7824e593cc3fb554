"""``lowtide events send``: CloudEvents to a server."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from lowtide.cli import given
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server
from lowtide.cli.shown import examples
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["events"]

events: Final = typer.Typer(
    help="Send CloudEvents: they start workflows, and wake executions that listen for them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@events.command(
    epilog=examples(
        "lowtide events send payment.json",
        'lowtide events send --type shop.payment.received --source /bank --data \'{"orderId": "A-1"}\'',
        "cat payments.json | lowtide events send -",
    )
)
def send(
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="One event in JSON form, or an array.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The event's type.")] = None,
    source: Annotated[str, typer.Option(metavar="URI", help="The event's source.")] = "/lowtide/cli",
    data: Annotated[str | None, typer.Option(metavar="JSON", help="The event's data.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="The event's subject.")] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The event's id; a new one where it is left out.")
    ] = None,
    extension: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An extension attribute; may be repeated.")
    ] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Send CloudEvents from a file, or one that the flags describe; prints the id of each.

    An event is kept before the server answers; sending the same id and source again changes nothing.
    """
    if (file is None) == (event_type is None):
        raise InvalidInput("give either a FILE with events, or --type (with --data) for one event")
    if file is not None:
        chosen = given.events_of(file)
    else:
        chosen = [_described(event_type or "", source, data, subject, event_id, extension or [])]
    asyncio.run(_send(server, namespace, chosen))


def _described(
    event_type: str, source: str, data: str | None, subject: str | None, event_id: str | None, extensions: list[str]
) -> dict[str, JSON]:
    from lowtide.model.base import iso
    from lowtide.runtime.chance import new_execution_id
    from lowtide.runtime.clock import SystemClock

    now = SystemClock().now()
    event: dict[str, JSON] = {
        "specversion": "1.0",
        "id": event_id or new_execution_id(now),
        "source": source,
        "type": event_type,
        "time": iso(now),
        **{name.lower(): str(value) for name, value in given.pairs_of(extensions, "--extension").items()},
    }
    if subject is not None:
        event["subject"] = subject
    if data is not None:
        event |= {"datacontenttype": "application/json", "data": given.json_of(data, "--data")}
    return event


async def _send(server: str, namespace: str, chosen: list[dict[str, JSON]]) -> None:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        for event in chosen:
            await api.send(namespace, event)
            print(event["id"])
