"""``lowtide status``: which processes the platform runs at this moment."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lowtide.cli.server import DEFAULT_SERVER, Server
from lowtide.cli.shown import show_table
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
    print(f"{'ready' if told['ready'] else 'starting'} at {server}")
    rows = [(name, *_cells(service)) for name, service in told["services"].items()]
    show_table(("SERVICE", "PROCESSES", "IN FLIGHT", "WAITING", "COLD STARTS", "CRASHES", "AT ZERO SINCE"), rows)
    broker = told["broker"]
    print(
        f"broker: process {broker['pid']}, {broker['restarts']} restarts, {broker.get('queued', '?')} queued, "
        f"{broker.get('inFlight', '?')} in delivery, {broker.get('deadLetters', '?')} dead letters"
    )


def _cells(service: dict[str, Any]) -> tuple[str, ...]:
    ready = [process for process in service["processes"] if process["state"] != "ending"]
    numbers = (len(ready), service["inFlight"], service["waiting"], service["coldStarts"], service["crashes"])
    return (*(str(number) for number in numbers), service["zeroSince"] or "")
