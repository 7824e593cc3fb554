"""What begins another execution from one that has ended: retry, restart, fork."""

from __future__ import annotations

from typing import Annotated

import typer

from lowtide.cli import exits, given
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, ask
from lowtide.model.base import JSON

__all__ = ["fork", "restart", "retry"]

_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Version = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Instead of its own version; `latest` is the newest one.")
]
_Key = Annotated[str | None, typer.Option(metavar="KEY", help="The same key begins one execution.")]


def retry(
    execution: _Id, version: _Version = None, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Begin a new execution where this one faulted, at the task that failed; prints its id.

    What was done before that task is not done again. A second retry of the same execution is the first one.
    """
    _begun(ask(server, lambda api: api.retry(namespace, execution, version=version)))


def restart(
    execution: _Id,
    version: _Version = None,
    idempotency_key: _Key = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Begin a new execution with the same input, from the beginning; prints its id."""
    _begun(ask(server, lambda api: api.restart(namespace, execution, version=version, key=idempotency_key)))


def fork(
    execution: _Id,
    task: Annotated[
        str, typer.Option(metavar="TASK", help="A task's name, its reference, or one of its entries (REFERENCE@PATH).")
    ],
    version: _Version = None,
    input: Annotated[str | None, typer.Option("--input", "-i", metavar="JSON", help="Another workflow input.")] = None,
    task_input: Annotated[str | None, typer.Option(metavar="JSON", help="What the task gets instead.")] = None,
    context: Annotated[str | None, typer.Option(metavar="JSON", help="The context it finds instead.")] = None,
    idempotency_key: _Key = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Begin a new execution at a task that this one entered; prints its id.

    What was done before that task is not done again. A task that was entered more than once (in a loop) is named by
    one of its entries; the refusal lists them.
    """
    changes: dict[str, JSON] = {
        name: given.json_of(value, flag)
        for name, flag, value in (
            ("input", "--input", input),
            ("taskInput", "--task-input", task_input),
            ("context", "--context", context),
        )
        if value is not None
    }
    _begun(ask(server, lambda api: api.fork(namespace, execution, task, changes, version=version, key=idempotency_key)))


def _begun(execution: dict[str, JSON]) -> None:
    print(execution["id"])
    origin = execution.get("origin") or {}
    place = f", from {origin['task']}" if origin.get("task") else ""
    exits.say(f"{execution['workflow']} {execution['version']}{place}; lowtide executions watch {execution['id']}")
