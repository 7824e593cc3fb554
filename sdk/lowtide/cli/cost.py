"""``lowtide cost``: what was paid for executions, and what the same traffic would cost where it is always on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import show_json, show_table
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.model.cost import PRESETS, Prices, Quantities, bill, price, price_of_tokens
from lowtide.wire.prices import read_prices

__all__ = ["cost"]

_By = Annotated[Literal["workflow", "version", "day"], typer.Option(help="What the parts are.")]
_Workflow = Annotated[str | None, typer.Option(metavar="NAME", help="This workflow only.")]
_From = Annotated[str | None, typer.Option("--from", metavar="MOMENT", help="Since then. Default: a day before --to.")]
_To = Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="Until then. Default: now.")]
_Prices = Annotated[str | None, typer.Option(metavar="NAME|FILE", help="A preset, or a price list of your own.")]
_Execution = Annotated[str | None, typer.Option(metavar="ID", help="One execution and its tasks instead.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def cost(
    by: _By = "workflow",
    workflow: _Workflow = None,
    since: _From = None,
    until: _To = None,
    prices: _Prices = None,
    execution: _Execution = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show what was paid, and what was saved against a service that is always on.

    Prices are published list prices, unless the server or --prices names others; the formula is shown with its numbers.
    """
    if execution is not None and (workflow or since or until or by != "workflow"):
        raise InvalidInput("--execution names one execution; leave --by, --workflow, --from and --to out")
    own = read_prices(prices) if prices is not None and _is_file(prices) else None
    named = None if own else prices
    found = asyncio.run(
        _ask(server, namespace, execution, by, workflow, since, until, named, own.share if own else None)
    )
    found = _priced(found, own) if own else found
    if as_json:
        show_json(found)
    elif execution is not None:
        _show_execution(found)
    else:
        _show(found, by)


async def _ask(
    server: str,
    namespace: str,
    execution: str | None,
    by: str,
    workflow: str | None,
    since: str | None,
    until: str | None,
    prices: str | None,
    share: int | None,
) -> dict[str, JSON]:
    from lowtide.clients.analytics import Analytics

    async with Analytics(analytics_of(server)) as api:
        if execution is not None:
            return await api.cost_of(namespace, execution, prices=prices)
        return await api.cost(namespace, by=by, workflow=workflow, since=since, until=until, prices=prices, share=share)


def _is_file(prices: str) -> bool:
    return prices not in PRESETS and (Path(prices).exists() or "." in prices or "/" in prices)


def _priced(found: dict[str, JSON], prices: Prices) -> dict[str, JSON]:
    """The answer again, by prices that the server need not know."""
    of = msgspec.convert(found["quantities"], Quantities)
    again = {**found, "prices": msgspec.to_builtins(prices)}
    if "bill" not in found:
        return {**again, "price": price(of, prices), "tasks": _tasks_priced(found, of, prices)}
    beside = found["bill"]["alwaysOn"]
    items = [
        {**item, "price": price(msgspec.convert(item["quantities"], Quantities), prices)} for item in found["items"]
    ]
    paid = bill(of, beside["peak"], beside["seconds"], prices)
    return {**again, "bill": msgspec.to_builtins(paid), "items": items}


def _tasks_priced(found: dict[str, JSON], of: Quantities, prices: Prices) -> list[dict[str, JSON]]:
    """A task's own tokens by these prices, and of the rest of the price the part that it had by those of the server."""
    were = msgspec.convert(found["prices"], Prices)

    def tokens(one: Mapping[str, JSON], by: Prices) -> float:
        return price_of_tokens(one.get("inputTokens", 0), one.get("outputTokens", 0), by)

    rest = found["price"] - tokens(found["quantities"], were)
    factor = (price(of, prices) - tokens(found["quantities"], prices)) / rest if rest else 0.0
    return [
        {**task, "price": (task["price"] - tokens(task, were)) * factor + tokens(task, prices)}
        for task in found["tasks"]
    ]


def _show(found: dict[str, JSON], by: str) -> None:
    bill, prices = found["bill"], found["prices"]
    total = {"what": "total", "quantities": found["quantities"], "price": bill["price"]}
    rows = [_row(item, prices["currency"]) for item in (*found["items"], total)]
    show_table((by.upper(), "INVOCATIONS", "COLD", "ACTIVE", "COST"), rows)
    print(f"\nfrom {found['since']} to {found['until']}, by the prices of {prices['name']}")
    print(
        f"always on: {_money(bill['alwaysOn']['price'], prices['currency'])}; "
        f"saved: {_money(bill['saving'], prices['currency'])} ({bill['share']:.2%})\n"
    )
    print("\n".join(bill["formula"]))


def _row(item: dict[str, JSON], currency: str) -> tuple[str, ...]:
    of = item["quantities"]
    active = f"{of['activeMs'] / 1000:.3f} s"
    return item["what"], str(of["invocations"]), str(of["coldStarts"]), active, _money(item["price"], currency)


def _show_execution(found: dict[str, JSON]) -> None:
    currency, of = found["prices"]["currency"], found["quantities"]
    print(
        f"{_money(found['price'], currency)} by the prices of {found['prices']['name']}: "
        f"{of['invocations']} invocations, {of['coldStarts']} of them cold, active for {of['activeMs'] / 1000:.3f} s"
        + (f", {of['inputTokens']} tokens read and {of['outputTokens']} written" if of.get("inputTokens") else "")
    )
    if found["tasks"]:
        print()
        rows = [
            (
                task["reference"],
                task["effect"],
                str(task["attempts"]),
                f"{task['activeMs'] / 1000:.3f} s",
                f"{task['bytesIn']} / {task['bytesOut']}",
                _money(task["price"], currency),
            )
            for task in found["tasks"]
        ]
        show_table(("TASK", "EFFECT", "ATTEMPTS", "ACTIVE", "BYTES IN / OUT", "COST"), rows)


def _money(amount: float, currency: str) -> str:
    return f"{amount:.8f} {currency}"
