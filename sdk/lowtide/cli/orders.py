"""What is told to an execution that has not ended: cancel, suspend, resume; and to delete those that have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, ask
from lowtide.errors import LowtideError

if TYPE_CHECKING:
    from lowtide.clients.orchestrate import Orchestrate

__all__ = ["cancel", "delete", "resume", "suspend"]

_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")]


def cancel(
    execution: _Id, reason: _Reason = None, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Cancel one execution, its children and its calls in flight. It ends a moment after this returns."""
    found = ask(server, lambda api: api.cancel(namespace, execution, reason))
    if found.get("endedAt"):
        exits.say(f"{execution} has ended: {found['phase']}")
    else:
        exits.say(f"asked {execution} to cancel; follow it with: lowtide executions watch {execution}")


def suspend(
    execution: _Id, reason: _Reason = None, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Suspend one execution: what it waits for is kept until it is resumed.

    One that runs is suspended as soon as its calls in flight have ended.
    """
    found = ask(server, lambda api: api.suspend(namespace, execution, reason))
    if found["phase"] == "suspended":
        exits.say(f"{execution} is suspended; go on with: lowtide executions resume {execution}")
    else:
        exits.say(f"{execution} still runs; it is suspended as soon as its calls in flight have ended")


def resume(execution: _Id, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Let a suspended execution go on, also one that the platform suspended because its dispatches led nowhere."""
    found = ask(server, lambda api: api.resume(namespace, execution))
    exits.say(f"{execution} goes on: {found['phase']}")


def delete(
    executions: Annotated[list[str], typer.Argument(metavar="ID", help="The executions' ids.")],
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Delete executions that have ended, with all that was kept for them. Nothing brings them back.

    What cannot be deleted is told, and holds up none of the others; cancel first what has not ended.
    """
    failures = ask(server, lambda api: _delete_all(api, namespace, executions))
    if failures:
        raise typer.Exit(exits.of_error(failures[0]))


async def _delete_all(api: Orchestrate, namespace: str, executions: list[str]) -> list[LowtideError]:
    failures = []
    for execution in executions:
        try:
            await api.delete(namespace, execution)
        except LowtideError as error:
            if error.retryable:
                raise
            failures.append(error)
            exits.say(f"{execution} is not deleted: {error}")
        else:
            exits.say(f"{execution} is deleted")
    return failures
