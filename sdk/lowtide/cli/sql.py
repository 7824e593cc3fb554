"""``lowtide sql``: one query over the analytics of a namespace."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Literal

import typer

from lowtide.cli import exits
from lowtide.cli.given import text_of
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import show_json, show_table
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["sql"]

_Query = Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; - reads it from stdin.")]
_Format = Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="Readable, or for programs.")]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows at most.")]


def sql(
    query: _Query,
    form: _Format = "table",
    limit: _Limit = 1000,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Ask one SELECT over the views executions, errors, tasks, invocations, logs, minutes and hours.

    Their columns are in docs/analysts.md. A query sees one namespace, changes nothing, and has ten seconds.
    """
    text = text_of(query) if query == "-" else query
    found, truncated = asyncio.run(_ask(server, namespace, text, limit, "csv" if form == "csv" else "json"))
    match form:
        case "csv":
            sys.stdout.write(str(found))
        case "json":
            show_json(found)
        case "table":
            headings = [_plain(column["name"]) for column in found["columns"]]
            show_table(headings, [[_plain(cell) for cell in row] for row in found["rows"]])
    if truncated:
        exits.say("there are more rows than are shown; raise --limit, or ask for less")


async def _ask(server: str, namespace: str, query: str, limit: int, form: Literal["csv", "json"]) -> tuple[JSON, bool]:
    from lowtide.clients.analytics import Analytics

    async with Analytics(analytics_of(server)) as api:
        return await api.sql(namespace, query, limit=limit, form=form)


def _plain(cell: JSON) -> str:
    """On one line, and without what a terminal would obey: texts come from whoever starts workflows."""
    match cell:
        case None:
            return ""
        case str():
            text = cell
        case _:
            text = json.encode(cell).decode()
    return "".join(letter if letter.isprintable() else " " for letter in text)
