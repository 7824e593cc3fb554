"""``lowtide top``: the workflows, tasks and errors that are worth a look first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["top"]

What = Literal["workflows", "tasks", "errors"]
By = Literal["slowest", "dearest", "failing", "failure-rate"]

_What = Annotated[What, typer.Argument(help="What is ranked; errors come in groups, the most frequent first.")]
_By = Annotated[
    By | None,
    typer.Option(help="p95 of what ended by itself, price, how many faulted, which share. [default: slowest]"),
]
_Workflow = Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow only.")]
_From = Annotated[str | None, typer.Option("--from", metavar="MOMENT", help="Since then. Default: a day before --to.")]
_To = Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="Until then. Default: now.")]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many.")]
_Prices = Annotated[str | None, typer.Option(metavar="NAME", help="A price list that the server knows.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def top(
    what: _What = "workflows",
    by: _By = None,
    workflow: _Workflow = None,
    since: _From = None,
    until: _To = None,
    limit: _Limit = 10,
    prices: _Prices = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show what is slowest, dearest or fails most in a window, with its numbers.

    Prices are as if no two invocations had shared an instance; `lowtide cost` says what was paid together.
    """
    if what == "errors" and (by or prices):
        raise InvalidInput("errors are ranked by how many there are; leave --by and --prices out")
    found = asyncio.run(_ask(server, namespace, what, by or "slowest", workflow, since, until, limit, prices))
    if what == "errors":
        show_page(found, _ERRORS, as_json=as_json)
        return
    currency = "" if as_json else str(found["prices"]["currency"])
    task: dict[str, str | Callable[[Any], str]] = {"TASK": "task"} if what == "tasks" else {}
    show_page(found, {"WORKFLOW": "workflow", **task, **_NUMBERS, f"PRICE, {currency}": _price}, as_json=as_json)


async def _ask(
    server: str,
    namespace: str,
    what: What,
    by: str,
    workflow: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    prices: str | None,
) -> dict[str, JSON]:
    from lowtide.clients.analytics import Analytics

    async with Analytics(analytics_of(server)) as api:
        if what == "errors":
            return await api.errors(namespace, workflow=workflow, since=since, until=until, limit=limit)
        return await api.top(
            namespace, what, by=by, workflow=workflow, since=since, until=until, limit=limit, prices=prices
        )


def _seconds(member: str) -> Callable[[dict[str, JSON]], str]:
    def cell(item: dict[str, JSON]) -> str:
        return "" if item[member] is None else f"{item[member] / 1000:.3f} s"

    return cell


def _rate(item: dict[str, JSON]) -> str:
    return "" if item["failureRate"] is None else f"{item['failureRate']:.2%}"


def _price(item: dict[str, JSON]) -> str:
    return f"{item['price']:.8f}"


_NUMBERS: dict[str, str | Callable[[Any], str]] = {
    "COMPLETED": "completed",
    "FAULTED": "faulted",
    "RATE": _rate,
    "P50": _seconds("p50Ms"),
    "P95": _seconds("p95Ms"),
    "P99": _seconds("p99Ms"),
    "ACTIVE": _seconds("activeMs"),
}

_ERRORS: dict[str, str | Callable[[Any], str]] = {
    "COUNT": "count",
    "WORKFLOW": "workflow",
    "ERROR": lambda item: str(item["type"]).rpartition("/")[2],
    "TITLE": "title",
    "LAST": "lastAt",
    "NEWEST": "newest",
}
