"""``lowtide run``: a workflow from start to outcome in this process, without any server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from lowtide.cli import given
from lowtide.cli.catalog import Catalog
from lowtide.cli.shown import examples

__all__ = ["EPILOG", "run"]

EPILOG: Final = examples(
    "lowtide run order.yaml --input '{\"id\": \"A-1\"}'",
    "echo '[1, 2, 3]' | lowtide run sum.yaml -",
    "lowtide run order.yaml --steps steps --event payment.json --virtual-time",
    "lowtide run order.yaml --json | jq .tasks",
    "lowtide run order.yaml --lifecycle events.jsonl",
) + (
    "\n\nExit codes: 0 completed, 2 document or input invalid, 3 faulted, 4 cancelled,\n"
    "5 timed out: it awaits events that no --event gives."
)  # fmt: skip

AllowShell = Annotated[
    bool, typer.Option("--allow-shell", help="Let `run: shell` and MCP servers over stdio run commands here.")
]
AllowScript = Annotated[bool, typer.Option("--allow-script", help="Let `run: script` run Python and JavaScript here.")]
AllowContainer = Annotated[
    bool, typer.Option("--allow-container", help="Let `run: container` run containers here (Docker or Podman).")
]


Also = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="A workflow that `run: workflow` may run; its own folder is searched anyway."),
]
Lifecycle = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write lifecycle events here, one JSON object a line; - is stderr.")
]


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The workflow document (YAML or JSON), or -.")],
    stdin: Annotated[str | None, typer.Argument(metavar="-", help="`-` takes the input from stdin.")] = None,
    input: Annotated[str | None, typer.Option("--input", "-i", metavar="JSON", help="The input.")] = None,
    input_file: Annotated[
        str | None, typer.Option("--input-file", metavar="FILE", help="The input, in a file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object: status, output, error, tasks.")] = False,
    virtual_time: Annotated[bool, typer.Option("--virtual-time", help="Waits take no time.")] = False,
    event: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="CloudEvents that arrive, one or an array; repeatable.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="NAME=JSON", help="A secret that $secrets holds; repeatable.")
    ] = None,
    steps: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="A Python module with step functions; repeatable.")
    ] = None,
    also: Also = None,
    catalog: Catalog = "",
    lifecycle: Lifecycle = None,
    allow_loopback: Annotated[bool, typer.Option(help="Let HTTP calls reach this machine.")] = True,
    allow_shell: AllowShell = False,
    allow_script: AllowScript = False,
    allow_container: AllowContainer = False,
) -> None:
    """Run a workflow in this process and print its output.

    What it refers to outside itself (functions of catalogs or by URL, schemas by resource) is fetched before it begins.
    On a terminal a live timeline is drawn on stderr; stdout carries the output alone. Ctrl-C asks for a cancel.
    """
    from lowtide.cli.running import Request, perform

    request = Request(
        file=file,
        text=given.text_of(file),
        input=given.input_of(input, input_file, stdin),
        events=[one for path in event or [] for one in given.events_of(path)],
        secrets=given.pairs_of(secret or [], "--secret"),
        steps=tuple(steps or []),
        also=tuple(also or []),
        virtual_time=virtual_time,
        catalog=catalog,
        allow_loopback=allow_loopback,
        allow_shell=allow_shell,
        allow_script=allow_script,
        allow_container=allow_container,
        lifecycle=lifecycle,
        live=sys.stdout.isatty() and sys.stderr.isatty() and not as_json and lifecycle != "-",
    )
    sys.path[:0] = [str(Path(file).resolve().parent), str(Path.cwd())]  # where step modules stand
    ended = asyncio.run(perform(request))
    ended.tell(as_json=as_json)
    raise typer.Exit(ended.code)
