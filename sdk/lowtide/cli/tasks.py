"""``lowtide tasks``: what workflows ask of people."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from lowtide.cli import exits, given
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, ask
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["tasks"]

tasks: Final = typer.Typer(
    help="Look at what workflows ask of people; claim it, complete it.", no_args_is_help=True, rich_markup_mode=None
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The task's number.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", envvar="LOWTIDE_USER", help="Who does it.")]
_Status = Annotated[
    str | None, typer.Option("--status", metavar="STATUS", help="open, completed, expired or closed; all by default.")
]


@tasks.command(
    "list", epilog=examples("lowtide tasks list --status open --group finance", "lowtide tasks list --user ann")
)
def list_(
    status: _Status = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Assigned to this person.")] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Assigned to this group.")] = None,
    claimed_by: Annotated[str | None, typer.Option(metavar="NAME", help="Claimed by this person.")] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Of this execution.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List human tasks, newest first."""
    wanted = {
        "status": status,
        "user": user,
        "group": group,
        "claimedBy": claimed_by,
        "workflow": workflow,
        "execution": execution,
    }
    found = ask(server, lambda api: api.tasks(namespace, limit=limit, cursor=cursor, **wanted))
    columns: dict[str, Any] = {
        "ID": "id",
        "TITLE": "title",
        "STATUS": "status",
        "ASSIGNEE": lambda item: _whose(item["assignee"]),
        "CLAIMED BY": "claimedBy",
        "DEADLINE": "deadline",
        "WORKFLOW": "workflow",
    }
    show_page(found, columns, as_json=as_json)


@tasks.command(epilog=examples("lowtide tasks show 42"))
def show(task: _Id, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Show one task: what is asked, of whom, until when, and what was answered."""
    found = ask(server, lambda api: api.task(namespace, task))
    if as_json:
        show_json(found)
        return
    print(f"{found['id']}  {found['title']}  {found['status']}")
    if found.get("description"):
        print(f"\n{found['description']}\n")
    print(f"  {'assignee':12} {_whose(found['assignee'])}")
    for step in found["escalation"]:
        print(f"  {'passes to':12} {_whose(step['assignee'])} at {step['at']}")
    for name in ("claimedBy", "deadline", "workflow", "execution", "task", "createdAt", "endedAt", "completedBy"):
        if found.get(name):
            print(f"  {name:12} {found[name]}")
    for name in ("data", "form", "answer"):
        if found.get(name) is not None:
            print(f"\n{name}")
            show_json(found[name])
    if found["status"] == "open":
        exits.say(f"\nto complete it: lowtide tasks complete {found['id']} -n {namespace} --by NAME --data JSON")


@tasks.command(
    epilog=examples(
        "lowtide tasks complete 42 --by ann --data '{\"approved\": true}'",
        "lowtide tasks complete 42 --by ann --data-file answer.json",
        "LOWTIDE_USER=ann lowtide tasks complete 42 --data '{}'",
    )
)
def complete(
    task: _Id,
    by: _By,
    data: Annotated[
        str | None, typer.Option("--data", metavar="JSON", help="The answer; it must fit the form.")
    ] = None,
    data_file: Annotated[str | None, typer.Option(metavar="FILE", help="The answer, in a file; - is stdin.")] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Complete one task: its workflow goes on with the data."""
    from lowtide.runtime.chance import new_owner

    answer, key = _answer(data, data_file), new_owner()
    found = ask(server, lambda api: api.complete(namespace, task, by, answer, key=key))
    exits.say(f"{found['id']}: completed by {found['completedBy']}")


@tasks.command(epilog=examples("lowtide tasks claim 42 --by ann"))
def claim(task: _Id, by: _By, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Claim one task: nobody else can complete it until it is released, or passes to another assignee."""
    found = ask(server, lambda api: api.claim(namespace, task, by))
    exits.say(f"{found['id']}: claimed by {found['claimedBy']}")


@tasks.command(epilog=examples("lowtide tasks release 42 --by ann"))
def release(task: _Id, by: _By, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Give back one task that was claimed."""
    found = ask(server, lambda api: api.release(namespace, task, by))
    exits.say(f"{found['id']}: {_whose(found['assignee'])}'s again")


def _answer(data: str | None, file: str | None) -> JSON:
    if (data is None) == (file is None):
        raise InvalidInput(
            """give the answer once: --data '{"approved": true}', or --data-file FILE; null is one too"""
        )
    if data is not None:
        return given.json_of(data, "--data")
    return given.json_of(given.text_of(str(file)), "stdin" if file == "-" else str(file))


def _whose(assignee: dict[str, JSON]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in assignee.items())
