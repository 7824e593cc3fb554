"""``lowtide deadletters``: what could not be delivered, one by one or many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

import typer

from lowtide.cli import exits
from lowtide.cli.operations import begun
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, ask
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["deadletters"]

deadletters: Final = typer.Typer(
    help="Look at what could not be delivered; redrive or discard it.", no_args_is_help=True, rich_markup_mode=None
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The dead letter's number.")]
_Some = Annotated[str | None, typer.Argument(metavar="ID", help="One; or name many with the options.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
_Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Of this event type.")]
_Verdict = Annotated[str | None, typer.Option(metavar="VERDICT", help="With this verdict, as suspended.")]
_Execution = Annotated[str | None, typer.Option(metavar="ID", help="About this execution.")]
_Open = Annotated[bool, typer.Option("--open", help="That somebody should look at.")]
_All = Annotated[bool, typer.Option("--all", help="All of the namespace.")]
_Rate = Annotated[float, typer.Option(metavar="N", help="Of many: so many per second.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Of many: only count them.")]


@deadletters.command("list", epilog=examples("lowtide deadletters list --open"))
def list_(
    event_type: _Type = None,
    verdict: _Verdict = None,
    execution: _Execution = None,
    only_open: _Open = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List dead letters, newest first."""
    wanted = {"type": event_type, "verdict": verdict, "execution": execution, "open": "true" if only_open else None}
    page = ask(server, lambda api: api.dead_letters(namespace, limit=limit, cursor=cursor, **wanted))
    columns = {"ID": "id", "TYPE": "type", "EXECUTION": "execution", "CODE": "code", "VERDICT": "verdict", "CAME": "at"}
    show_page(page, columns, as_json=as_json)


@deadletters.command(epilog=examples("lowtide deadletters show 17"))
def show(
    letter: _Id, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Show one dead letter: what it is about, what the receiver answered, what was done about it."""
    found = ask(server, lambda api: api.dead_letter(namespace, letter))
    if as_json:
        show_json(found)
        return
    print(f"{found['id']}  {found['type']}  {found['verdict']}{'  open' if found['open'] else ''}")
    for name in ("execution", "epoch", "source", "eventId", "code", "detail", "at", "settledAt", "redrives"):
        if found.get(name):
            print(f"  {name:10} {found[name]}")
    if found.get("event") is not None:
        print("\nevent")
        show_json(found["event"])


def _settling(action: Literal["redrive", "discard"], says: str) -> Callable[..., None]:
    """A command that does ``action`` to one dead letter, or to all that its options mean."""

    def settle(
        letter: _Some = None,
        event_type: _Type = None,
        verdict: _Verdict = None,
        execution: _Execution = None,
        only_open: _Open = False,
        everything: _All = False,
        rate: _Rate = 10.0,
        dry_run: _DryRun = False,
        namespace: Namespace = "default",
        server: Server = DEFAULT_SERVER,
    ) -> None:
        wanted = _filter(letter, event_type, verdict, execution, only_open=only_open, everything=everything)
        if letter is not None:
            one = letter
            found = ask(server, lambda api: getattr(api, action)(namespace, one))
            exits.say(f"{found['id']}: {found['verdict']}")
            return
        request = {"action": action, "filter": wanted, "rate": rate, "dryRun": dry_run}
        begun(ask(server, lambda api: api.operate(namespace, request)))

    settle.__doc__ = says
    return settle


deadletters.command(
    "redrive",
    epilog=examples("lowtide deadletters redrive 17", "lowtide deadletters redrive --open --rate 5 --dry-run"),
)(
    _settling(
        "redrive",
        """Do again what one asks for, or all that the options mean together, so many per second.

        A dispatch is issued again (an execution that was suspended for it goes on), an outcome is applied, an event is
        shown to whoever wants it. None of that is done twice.
        """,
    )
)
deadletters.command(
    "discard",
    epilog=examples("lowtide deadletters discard 17", "lowtide deadletters discard --verdict suspended --dry-run"),
)(
    _settling(
        "discard",
        "Note that nobody need look at one any more, or at all that the options mean; executions stay as they are.",
    )
)


def _filter(
    letter: str | None,
    event_type: str | None,
    verdict: str | None,
    execution: str | None,
    *,
    only_open: bool,
    everything: bool,
) -> dict[str, JSON]:
    """What the options mean. Raises ``InvalidInput`` where they and an id are given, or neither."""
    options = {"type": event_type, "verdict": verdict, "execution": execution}
    flags = {"open": only_open or None, "all": everything or None}
    wanted = {name: value for name, value in {**options, **flags}.items() if value is not None}
    if (letter is None) == (not wanted):
        raise InvalidInput("name one dead letter, or else many: --open, --type, --verdict, --execution or --all")
    return wanted
