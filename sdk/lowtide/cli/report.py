"""``lowtide report``: usage and cost by day, for people, spreadsheets and programs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from lowtide.cli.given import text_of
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import show_json
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["report"]

_From = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day. Default: six before --to.")]
_To = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, included. Default: today.")]
_By = Annotated[Literal["workflow", "namespace"], typer.Option(help="What the rows of a day are.")]
_Workflow = Annotated[str | None, typer.Option(metavar="NAME", help="This workflow only.")]
_Prices = Annotated[str | None, typer.Option(metavar="NAME", help="A price list that the server knows.")]
_Format = Annotated[Literal["markdown", "csv", "json"], typer.Option("--format", help="Readable, or for programs.")]
_All = Annotated[bool, typer.Option("--all-namespaces", help="Of all tenants: for the operator.")]
_Token = Annotated[
    str | None,
    typer.Option("--operator-token", metavar="TOKEN", envvar="LOWTIDE_OPERATOR_TOKEN", help="The operator's."),
]
_TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file with it, as .lowtide/operator-token.")]


def report(
    since: _From = None,
    until: _To = None,
    by: _By = "workflow",
    workflow: _Workflow = None,
    prices: _Prices = None,
    form: _Format = "markdown",
    all_namespaces: _All = False,
    operator_token: _Token = None,
    operator_token_file: _TokenFile = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Print executions, usage, cost and saving for each day (UTC).

    Costs are the most that they can have been, savings the least; `lowtide cost` says what a window cost exactly.
    """
    token = None
    if all_namespaces:
        token = operator_token or (text_of(str(operator_token_file)).strip() if operator_token_file else "")
        if not token:
            raise InvalidInput(
                "--all-namespaces is for the operator: give --operator-token-file FILE, or set LOWTIDE_OPERATOR_TOKEN"
            )
    found = asyncio.run(_ask(server, namespace, token, by, workflow, since, until, prices, form))
    if form == "json":
        show_json(found)
    else:
        sys.stdout.write(str(found))


async def _ask(
    server: str,
    namespace: str,
    token: str | None,
    by: str,
    workflow: str | None,
    since: str | None,
    until: str | None,
    prices: str | None,
    form: str,
) -> JSON:
    from lowtide.clients.analytics import Analytics

    async with Analytics(analytics_of(server)) as api:
        return await api.report(
            None if token else namespace,
            operator_token=token,
            by=by,
            workflow=workflow,
            since=since,
            until=until,
            prices=prices,
            form=form,
        )
