"""Outlines of workflows' versions into the analytics store: one by one, for a version is deployed once."""

from __future__ import annotations

from typing import Final

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection, Database

from .rows import members, moment, plain_text

__all__ = ["put_outline"]

_PUT: Final = """
INSERT INTO outlines (namespace, workflow, version, deployed_at, outline) VALUES (%s, %s, %s, %s, %s::jsonb)
ON CONFLICT (namespace, workflow, version, deployed_at) DO UPDATE SET outline = excluded.outline
"""


async def put_outline(database: Database, told: pb.WorkflowOutline) -> None:
    """Returns once it is stored. Raises ``InvalidInput`` where it is none, ``Unavailable``: say it again later."""
    try:
        outline, deployed = members(told.body), moment(told.deployed_at)
    except (ValueError, OverflowError, InvalidInput) as error:
        raise InvalidInput(f"the outline of {told.workflow} {told.version} cannot be kept: {error}") from error
    if outline is None:
        raise InvalidInput(f"the outline of {told.workflow} {told.version} is empty")
    values = [*map(plain_text, (told.namespace, told.workflow, told.version)), deployed, outline]

    async def put(connection: Connection) -> None:
        await connection.execute(_PUT, values)

    await database.transaction(put)
