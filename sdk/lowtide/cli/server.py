"""The options that name a server, shared by all commands that talk to one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

import typer

if TYPE_CHECKING:
    from lowtide.clients.orchestrate import Orchestrate

__all__ = ["DEFAULT_SERVER", "Namespace", "Server", "analytics_of", "ask"]

T = TypeVar("T")

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"

Server: TypeAlias = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="LOWTIDE_SERVER", help="Where Lowtide answers.")
]
Namespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", envvar="LOWTIDE_NAMESPACE", help="The tenant.")
]


def analytics_of(server: str) -> str:
    """Where the analytics API of this server is."""
    return server.rstrip("/") + "/analytics"


def ask(server: str, question: Callable[[Orchestrate], Awaitable[T]]) -> T:
    """What orchestrate of this server answers to one question."""
    from lowtide.clients.orchestrate import Orchestrate

    async def asked() -> T:
        async with Orchestrate(server) as api:
            return await question(api)

    return asyncio.run(asked())
