"""The ``lowtide`` command. One file per command or group of commands; heavy imports stand inside the commands.

``run`` ``validate`` ``draw``                    a document, in this process, without any server
``deploy`` ``start`` ``workflows`` ``executions`` ``tasks`` ``operations`` ``deadletters`` ``events`` ``replay``
``cost`` ``top`` ``report`` ``sql`` ``alerts`` ``logs`` ``timeline`` ``graph`` ``compare``
                                                 talk to a server (``server``: its options)
``up`` ``status`` ``migrate``                    the platform on this machine

``given`` (what the user gives), ``shown`` (what goes to stdout) and ``exits`` (exit codes, errors told) are shared;
``running``, ``folder`` and ``live`` belong to ``run``, ``execution_shown`` to
``executions``, ``alert_rules`` to ``alerts``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from lowtide.cli import exits
from lowtide.cli.alerts import alerts
from lowtide.cli.compare import compare
from lowtide.cli.cost import cost
from lowtide.cli.deadletters import deadletters
from lowtide.cli.deploy import deploy
from lowtide.cli.draw import draw
from lowtide.cli.events import events
from lowtide.cli.executions import executions
from lowtide.cli.graph import graph
from lowtide.cli.logs import logs
from lowtide.cli.migrate import migrate
from lowtide.cli.operations import operations
from lowtide.cli.replay import replay
from lowtide.cli.report import report
from lowtide.cli.run import EPILOG, run
from lowtide.cli.shown import examples
from lowtide.cli.sql import sql
from lowtide.cli.start import start
from lowtide.cli.status import status
from lowtide.cli.tasks import tasks
from lowtide.cli.timeline import timeline
from lowtide.cli.top import top
from lowtide.cli.up import up
from lowtide.cli.validate import validate
from lowtide.cli.workflows import workflows
from lowtide.errors import InvalidDocument, LowtideError

__all__ = ["app", "main"]

_EXECUTION: Final = "01890a5d-ac96-774b-bcce-b302099a8057"

app: Final = typer.Typer(
    name="lowtide",
    help="Lowtide: workflows that cost nothing while they wait.",
    epilog=examples(
        'lowtide run hello.yaml --input \'{"name": "Ada"}\'',
        "lowtide up",
        "lowtide deploy hello.yaml && lowtide start hello --wait 30s",
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command(epilog=EPILOG)(run)
app.command(epilog=examples("lowtide validate order.yaml shipment.yaml", "cat order.yaml | lowtide validate -"))(
    validate
)
app.command(
    short_help="Draw a workflow: tree, Mermaid or JSON.",
    epilog=examples("lowtide draw order.yaml", "lowtide draw order.yaml --format mermaid > order.mmd"),
)(draw)
app.command(short_help="Deploy workflow documents.", epilog=examples("lowtide deploy order.yaml shipment.yaml"))(deploy)
app.command(
    epilog=examples(
        'lowtide start order --input \'{"id": "A-1"}\' --wait 30s', "lowtide start order --idempotency-key A-1"
    )
)(start)
app.add_typer(executions, name="executions")
app.add_typer(workflows, name="workflows")
app.add_typer(operations, name="operations")
app.add_typer(deadletters, name="deadletters")
app.add_typer(tasks, name="tasks")
app.add_typer(events, name="events")
app.add_typer(alerts, name="alerts")
app.command(
    short_help="Step through an execution's journal, without effects.",
    epilog=examples(
        "lowtide replay 01890a5d-ac96-774b-bcce-b302099a8057",
        "lowtide replay 01890a5d-ac96-774b-bcce-b302099a8057 --save journal.json",
        "lowtide replay --file journal.json --at 3",
    ),
)(replay)
app.command(
    short_help="What executions cost, and what always on would.",
    epilog=examples(
        "lowtide cost",
        "lowtide cost --by day --from 2026-11-01T00:00:00Z --prices aws-lambda",
        "lowtide cost --execution 01890a5d-ac96-774b-bcce-b302099a8057",
        "lowtide cost --prices our-cluster.yaml --json",
    ),
)(cost)
app.command(
    short_help="What is slowest, dearest or fails most.",
    epilog=examples(
        "lowtide top workflows",
        "lowtide top tasks --by failing --workflow fulfil-order",
        "lowtide top workflows --by dearest --from 2026-11-01T00:00:00Z --limit 3",
        "lowtide top errors --json",
    ),
)(top)
app.command(
    short_help="Usage and cost by day.",
    epilog=examples(
        "lowtide report",
        "lowtide report --from 2026-11-01 --to 2026-11-30 --format csv > november.csv",
        "lowtide report --all-namespaces --by namespace --operator-token-file .lowtide/operator-token",
    ),
)(report)
app.command(
    short_help="Show or follow log lines of executions.",
    epilog=examples(
        f"lowtide logs {_EXECUTION} --level warning",
        "lowtide logs --workflow order --text 'card \"refused by\"' --since PT1H",
        f"lowtide logs {_EXECUTION} --task pay --follow",
        "lowtide logs --since P1D --limit 10000 --output json | jq -r .message",
    ),
)(logs)
app.command(
    short_help="Show what one execution went through, task by task.",
    epilog=examples(f"lowtide timeline {_EXECUTION}", f"lowtide timeline {_EXECUTION} --output json"),
)(timeline)
app.command(
    short_help="Draw one execution: tree, Mermaid or DOT.",
    epilog=examples(
        f"lowtide graph {_EXECUTION}",
        f"lowtide graph {_EXECUTION} --format dot | dot -Tsvg > execution.svg",
        f"lowtide graph {_EXECUTION} --format mermaid > execution.mmd",
    ),
)(graph)
app.command(
    short_help="Show what differs between two executions.",
    epilog=examples(
        f"lowtide compare {_EXECUTION} 01890a5d-ac96-774b-bcce-b302099a8058",
        f"lowtide compare {_EXECUTION} 01890a5d-ac96-774b-bcce-b302099a8058 --output json | jq .diverged",
    ),
)(compare)
app.command(
    short_help="Ask analytics in SQL.",
    epilog=examples(
        'lowtide sql "select workflow, count(*) from executions group by workflow"',
        "lowtide sql \"select at, workflow, p95 from hours where measure = 'executions.completed'\" --format csv",
        "lowtide sql - < slowest.sql",
    ),
)(sql)
app.command(
    short_help="Run the platform on this machine.",
    epilog=examples("lowtide up", "lowtide up --steps steps --path examples/order-fulfilment --idle 5"),
)(up)
app.command(short_help="Show the platform's processes.", epilog=examples("lowtide status"))(status)
app.command(
    short_help="Bring the stores' tables to this version.",
    epilog=examples("lowtide migrate --control-url postgresql://lowtide@db/lowtide_control"),
)(migrate)


def _version(wanted: bool) -> None:
    if wanted:
        from lowtide import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Raises ``SystemExit`` with one of the codes of :mod:`lowtide.cli.exits`."""
    try:
        _command()(args=None if arguments is None else list(arguments), prog_name="lowtide")
    except InvalidDocument as error:
        for problem in error.problems:
            exits.say(problem)
        raise SystemExit(exits.INVALID) from error
    except LowtideError as error:
        exits.say(f"lowtide: {error}")
        raise SystemExit(exits.of_error(error)) from error


@cache
def _command() -> Callable[..., Any]:
    """Built once, for those who call :func:`main` more than once: typer looks at the signatures of all commands."""
    return get_command(app)
