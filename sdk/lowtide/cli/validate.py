"""``lowtide validate``: every mistake of a document at once, each with its place and its mend."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from lowtide.cli import exits, given
from lowtide.cli.catalog import Catalog

if TYPE_CHECKING:
    from lowtide.dsl import Checked
    from lowtide.model.base import JSON

__all__ = ["validate"]


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow documents (YAML or JSON), or -.")],
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch and check also what they refer to: functions and schemas elsewhere.")
    ] = False,
    catalog: Catalog = "",
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="A secret to authenticate with, for --fetch; repeatable."),
    ] = None,
) -> None:
    """Check workflow documents; prints `file:line:column: what is wrong; how to mend it`.

    Exit code 2 when any document has an error; warnings alone leave it 0.
    """
    from lowtide.dsl import check

    wrong = unseen = 0
    secrets = given.pairs_of(secret or [], "--secret")
    for file in files:
        checked = check(given.text_of(file), "stdin" if file == "-" else file)
        if fetch:
            checked = asyncio.run(_fetched(checked, file, catalog, secrets))
        for problem in checked.problems:
            print(problem if problem.severity == "error" else f"{problem} (warning)")
        unseen += checked.refers_outside and not fetch
        wrong += any(problem.severity == "error" for problem in checked.problems)
    if wrong:
        raise typer.Exit(exits.INVALID)
    exits.say("1 document is valid" if len(files) == 1 else f"{len(files)} documents are valid")
    if unseen:
        exits.say("functions and schemas that stand elsewhere were not looked at; --fetch does")


async def _fetched(checked: Checked, file: str, catalog: str, secrets: dict[str, JSON]) -> Checked:
    from lowtide.cli.fetching import fetching
    from lowtide.expressions import JqHost

    with contextlib.closing(JqHost(secrets=secrets)) as host:
        async with fetching(host, file, catalog=catalog, secrets=secrets) as fetcher:
            return await fetcher.pin(checked)
