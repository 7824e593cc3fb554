"""``lowtide deploy``: create versions of workflows on a server."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lowtide.cli import exits, given
from lowtide.cli.server import DEFAULT_SERVER, Server

__all__ = ["deploy"]


def deploy(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow documents (YAML or JSON), or -.")],
    server: Server = DEFAULT_SERVER,
) -> None:
    """Deploy workflow documents, each into the namespace that it names.

    All are checked before the first is sent. A version that exists with the same content is left as it is.
    """
    from lowtide.dsl import plan

    texts = [(file, given.text_of(file)) for file in files]
    documents = [(plan(text, file).namespace, text) for file, text in texts]
    asyncio.run(_deploy(server, documents))


async def _deploy(server: str, documents: list[tuple[str, str]]) -> None:
    from lowtide.clients.orchestrate import Orchestrate
    from lowtide.clients.problems import line_of

    async with Orchestrate(server) as api:
        for namespace, text in documents:
            deployed = await api.deploy(namespace, text)
            print(f"{deployed['namespace']}/{deployed['name']} {deployed['version']}")
            for warning in deployed.get("warnings", []):
                exits.say(line_of(warning, deployed["name"]) if isinstance(warning, dict) else str(warning))
