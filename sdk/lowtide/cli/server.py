"""The options that name a server, shared by all commands that talk to one."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer

__all__ = ["DEFAULT_SERVER", "Namespace", "Server", "analytics_of"]

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
