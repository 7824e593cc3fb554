"""``lowtide start``: start an execution on a server."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lowtide.cli import exits, given
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server
from lowtide.cli.shown import show_json
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["seconds_of", "start"]


def start(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")],
    stdin: Annotated[str | None, typer.Argument(metavar="-", help="`-` takes the input from stdin.")] = None,
    input: Annotated[str | None, typer.Option("--input", "-i", metavar="JSON", help="The input.")] = None,
    input_file: Annotated[
        str | None, typer.Option("--input-file", metavar="FILE", help="The input, in a file.")
    ] = None,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="Instead of the newest one.")] = None,
    wait: Annotated[str | None, typer.Option(metavar="30s", help="Wait this long for the outcome.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key starts one execution, however often it is sent.")
    ] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Start an execution and print it as JSON.

    With --wait the exit code tells the outcome (0 completed, 3 faulted, 4 cancelled, 5 not ended in time).
    """
    value = given.input_of(input, input_file, stdin)
    waiting = None if wait is None else seconds_of(wait, "--wait")
    started = asyncio.run(_start(server, namespace, name, value, version, waiting, idempotency_key))
    show_json(started)
    if waiting is not None:
        raise typer.Exit(exits.of_phase(started.get("phase", "")))


async def _start(
    server: str,
    namespace: str,
    name: str,
    value: JSON,
    version: str | None,
    wait: float | None,
    key: str | None,
) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        return await api.start(namespace, name, value, version=version, wait=wait, key=key)


def seconds_of(text: str, flag: str) -> float:
    """``30``, ``30s``, ``1.5s``, ``500ms``, ``2m`` or ``PT30S`` as seconds."""
    from lowtide.model.duration import to_millis

    for suffix, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)):
        number = text.removesuffix(suffix) if suffix else text
        if (not suffix or text.endswith(suffix)) and number.replace(".", "", 1).isdecimal():
            return float(number) * factor
    try:
        return to_millis(text) / 1000
    except ValueError as error:
        raise InvalidInput(f"{flag} {text}: write a duration such as 30s, 500ms, 2m or PT30S") from error
