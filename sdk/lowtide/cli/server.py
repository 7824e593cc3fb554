"""The options that name a server, shared by all commands that talk to one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

import typer

if TYPE_CHECKING:
    from lowtide.clients.analytics import Analytics
    from lowtide.clients.orchestrate import Orchestrate

__all__ = ["DEFAULT_SERVER", "Form", "Namespace", "Output", "Server", "analytics_of", "ask", "ask_analytics"]

T = TypeVar("T")

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"

Server: TypeAlias = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="LOWTIDE_SERVER", help="Where Lowtide answers.")
]
Namespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", envvar="LOWTIDE_NAMESPACE", help="The tenant.")
]


class Form(StrEnum):
    text = "text"
    json = "json"


Output: TypeAlias = Annotated[Form, typer.Option("--output", "-o", help="For people, or the server's JSON.")]


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


def ask_analytics(server: str, question: Callable[[Analytics], Awaitable[T]]) -> T:
    """What the analytics API of this server answers to one question."""
    from lowtide.clients.analytics import Analytics

    async def asked() -> T:
        async with Analytics(analytics_of(server)) as api:
            return await question(api)

    return asyncio.run(asked())
