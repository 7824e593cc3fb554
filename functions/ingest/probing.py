"""Health as gRPC's standard service says it, and beside it how each store does, with the reason where it does not.

The whole server is healthy while it can wait: writers are better held than sent away while PostgreSQL is gone. So the
stores are services of their own (``journal``, ``analytics``), which nobody's probe asks by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from grpc_health.v1 import health, health_pb2

from lowtide.errors import Unavailable
from lowtide.storage.database import Connection, Database

__all__ = ["REASON", "Probes"]

REASON: Final = "lowtide-reason"
"""The trailing metadata that says why a store cannot be used."""

_PATIENCE: Final = 3.0
_LOOK: Final = {"journal": "SELECT FROM leases LIMIT 0", "analytics": "SELECT FROM executions LIMIT 0"}


class Probes(health.aio.HealthServicer):  # type: ignore[name-defined, misc]  # the stubs lack it
    """``stores`` are asked when somebody asks."""

    def __init__(self, stores: Mapping[str, Database]) -> None:
        super().__init__()
        self._stores = stores

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Any) -> health_pb2.HealthCheckResponse:
        store = self._stores.get(request.service)
        if store is None:
            answer: health_pb2.HealthCheckResponse = await super().Check(request, context)
            return answer
        reason = await _reason(store, _LOOK[request.service])
        if reason is None:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        context.set_trailing_metadata(((REASON, reason.encode("ascii", "replace").decode()),))
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)


async def _reason(store: Database, look: str) -> str | None:
    """Why the store cannot be used now; ``None`` where it can."""

    async def ask(connection: Connection) -> None:
        await connection.execute(look.encode())

    try:
        async with asyncio.timeout(_PATIENCE):
            await store.run(ask)
    except TimeoutError:
        return f"the {store.name} store does not answer within {_PATIENCE:g} s"
    except (Unavailable, psycopg.Error) as error:
        return str(error).strip()
    return None
