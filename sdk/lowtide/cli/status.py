"""``lowtide status``: which processes the platform runs at this moment."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lowtide.cli.server import DEFAULT_SERVER, Server
from lowtide.errors import Unavailable
from lowtide.wire import json

__all__ = ["status"]


def status(
    server: Server = DEFAULT_SERVER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as it is.")] = False,
) -> None:
    """Show the platform's processes, requests in flight, cold starts, and since when a service is at zero."""
    import asyncio

    body = asyncio.run(_asked(server.rstrip("/") + "/status"))
    if as_json:
        sys.stdout.write(body.decode() + "\n")
        return
    _show(json.decode(body, dict), server)


async def _asked(url: str) -> bytes:
    import aiohttp

    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            async with session.get(url) as response:
                body = await response.read()
                if response.status == 200 and b'"services"' in body:
                    return body
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unavailable(f"nothing answers at {url} ({error}); start the platform with `lowtide up`") from error
    raise Unavailable(f"{url} is not the laptop platform (it answered {response.status}); on Knative ask kubectl")


def _show(told: dict[str, Any], server: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("service", "processes", "in flight", "waiting", "cold starts", "crashes", "at zero since"):
        table.add_column(column, justify="left" if column in ("service", "at zero since") else "right", no_wrap=True)
    for name, service in told["services"].items():
        ready = [process for process in service["processes"] if process["state"] != "ending"]
        numbers = (len(ready), service["inFlight"], service["waiting"], service["coldStarts"], service["crashes"])
        table.add_row(name, *(str(number) for number in numbers), (service["zeroSince"] or "")[:19])
    console = Console(highlight=False)
    console.print(f"{'ready' if told['ready'] else 'starting'} at {server}", soft_wrap=True)
    console.print(table)
    broker = told["broker"]
    console.print(
        f"broker: process {broker['pid']}, {broker['restarts']} restarts, {broker.get('queued', '?')} queued, "
        f"{broker.get('inFlight', '?')} in delivery, {broker.get('deadLetters', '?')} dead letters",
        soft_wrap=True,
    )
