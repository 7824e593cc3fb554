"""``lowtide logs``: log lines of executions, found or followed."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Form, Namespace, Output, Server, analytics_of
from lowtide.clients.analytics import Analytics
from lowtide.errors import InvalidInput, LowtideError
from lowtide.model.base import JSON
from lowtide.model.duration import to_millis
from lowtide.model.phase import ENDED
from lowtide.runtime.clock import SystemClock
from lowtide.wire import json

__all__ = ["logs"]

_PAGE: Final = 1000
_LOOK: Final = 2.0
_SETTLE: Final = 4.0
"""Seconds after an execution's end within which its last lines have come: streams are two seconds behind."""

_Query = dict[str, str | int | None]

_Execution = Annotated[str | None, typer.Argument(metavar="[ID]", help="Of this execution alone.")]
_Workflow = Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow alone.")]
_Task = Annotated[str | None, typer.Option(metavar="TASK", help="Of this task: name, reference or entry.")]
_Level = Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning or error: that, and what is worse.")]
_Text = Annotated[str | None, typer.Option(metavar="WORDS", help='Words of the message; "quoted" together, -word not.')]
_Since = Annotated[str | None, typer.Option(metavar="PT10M|MOMENT", help="No older ones.")]
_Until = Annotated[str | None, typer.Option(metavar="PT10M|MOMENT", help="Only older ones.")]
_Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many: the newest.")]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until the execution has ended.")]
_After = Annotated[str | None, typer.Option(metavar="ID", help="Follow from where another one left off.")]


def logs(
    execution: _Execution = None,
    workflow: _Workflow = None,
    task: _Task = None,
    level: _Level = "debug",
    text: _Text = None,
    since: _Since = None,
    until: _Until = None,
    limit: _Limit = 100,
    follow: _Follow = False,
    after: _After = None,
    output: Output = Form.text,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show log lines of executions, oldest first.

    What is followed is two seconds behind, so that it is in order. A connection that breaks is made again, and nothing
    is missed or shown twice; after Ctrl-C the last line on stderr says how to go on. --output json: one line each.
    """
    query: _Query = {"execution": execution, "workflow": workflow, "task": task, "level": level, "text": text}
    query["from"] = _moment_of(since, "--since")
    if after is not None and not follow:
        raise InvalidInput("--after is for --follow; else give --since")
    if not follow:
        query["to"] = _moment_of(until, "--until")
        for line in asyncio.run(_found(server, namespace, query, limit)):
            _show(line, output, alone=execution is not None)
    elif until is not None:
        raise InvalidInput("--until has no meaning with --follow, which ends by Ctrl-C")
    else:
        _follow(server, namespace, query, after, output)


async def _found(server: str, namespace: str, query: _Query, limit: int) -> list[dict[str, JSON]]:
    """The newest lines, oldest first."""
    found: list[dict[str, JSON]] = []
    cursor: str | None = None
    async with Analytics(analytics_of(server)) as api:
        while len(found) < limit:
            asked = {**query, "limit": min(limit - len(found), _PAGE), "cursor": cursor}
            page = await api.found_logs(namespace, asked)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
    return found[::-1]


def _follow(server: str, namespace: str, query: _Query, after: str | None, output: Form) -> None:
    last = [after]
    try:
        asyncio.run(_followed(server, namespace, query, last, output))
    except KeyboardInterrupt:
        if last[0] is not None:
            exits.say(f"to go on from here: --follow --after {last[0]}")


async def _followed(server: str, namespace: str, query: _Query, last: list[str | None], output: Form) -> None:
    execution = query["execution"]
    async with Analytics(analytics_of(server)) as api:
        showing = asyncio.create_task(_shown(api, namespace, query, last, output))
        tasks = [showing]
        if execution is not None:
            tasks.append(asyncio.create_task(_ended(api, namespace, str(execution))))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _shown(api: Analytics, namespace: str, query: _Query, last: list[str | None], output: Form) -> None:
    async for line, seen in api.follow_logs(namespace, query, last[0]):
        last[0] = seen
        _show(line, output, alone=query["execution"] is not None)


async def _ended(api: Analytics, namespace: str, execution: str) -> None:
    """Returns a little after the execution has ended."""
    while True:
        try:
            if (await api.execution(namespace, execution))["phase"] in ENDED:
                break
        except LowtideError:
            pass  # it is not known yet, or the server is away: whoever reads the stream says so
        await asyncio.sleep(_LOOK)
    await asyncio.sleep(_SETTLE)


def _show(line: dict[str, JSON], output: Form, *, alone: bool) -> None:
    if output is Form.json:
        print(json.encode(line).decode(), flush=True)
        return
    # An entry is ``/do/0/pay@1.1``; a line of several executions says whose it is.
    task = str(line["task"] or "").rpartition("@")[0] or "-"
    whom = "" if alone else f" {line['workflow']} {line['execution']}"
    fields = "" if not line["fields"] else f"  {json.encode(line['fields']).decode()}"
    message = " ".join(str(line["message"]).splitlines())
    level = _coloured(f"{str(line['level']).upper():<7}", str(line["level"]))
    print(f"{line['at']} {level}{whom} {task}  {message}{fields}", flush=True)


_COLOURS: Final = {"error": "31", "warning": "33", "debug": "90"}


def _coloured(text: str, level: str) -> str:
    colour = _COLOURS.get(level)
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and sys.stdout.isatty() else text


def _moment_of(given: str | None, flag: str) -> str | None:
    """An ISO 8601 moment, or one that is a duration ago; without a zone it is taken to be of this machine."""
    if given is None:
        return None
    now = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
    try:
        if given.upper().startswith("P"):
            return (now - timedelta(milliseconds=to_millis(given.upper()))).isoformat()
        return datetime.fromisoformat(given).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        mend = "write a duration as PT10M, or a moment as 2026-11-23T12:00:00Z"
        raise InvalidInput(f"{flag} {given}: {mend}") from error
