"""Connections to the control store: transactions that say in our own words when PostgreSQL is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lowtide.errors import LowtideError, Unavailable

__all__ = ["Database", "Tx"]

T = TypeVar("T")
Tx: TypeAlias = AsyncConnection

_AGAIN: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_NOT_MIGRATED: Final = frozenset({"42P01", "42703", "3F000"})  # undefined table, column, schema
_AWAY: Final = ("08", "53", "57", "58")  # connection, resources, operator intervention, system errors
_ATTEMPTS: Final = 5


class Database:
    """At most ``connections`` connections, made when first needed: a start needs no database."""

    def __init__(self, url: str, connections: int, *, connect_timeout: int = 5, pool_timeout: float = 15.0) -> None:
        self.engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=pool_timeout,
            connect_args={"connect_timeout": connect_timeout, "application_name": "lowtide-orchestrate"},
        )

    async def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What ``work`` returns, after the commit. It may be called again where two transactions crossed.

        Raises :class:`lowtide.errors.Unavailable` where the database cannot be reached or has no tables yet.
        """
        for left in reversed(range(_ATTEMPTS)):
            committing = False
            try:
                async with self.engine.begin() as connection:
                    result = await work(connection)
                    committing = True
                return result
            except exc.DBAPIError as error:
                state = _state(error)
                # A connection that died while it was idle: nothing was done yet, another one will do.
                stale = error.connection_invalidated and not committing and left == _ATTEMPTS - 1
                if left and (state in _AGAIN or stale):
                    continue
                if _is_away(error, state):
                    raise _unavailable(error, state) from error
                raise
            except (TimeoutError, exc.TimeoutError, OSError) as error:
                raise Unavailable(f"the control store has no connection free or cannot be reached: {error}") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def check(self) -> str | None:
        """Why the store cannot be used now; ``None`` where it can."""
        try:
            await self.run(lambda tx: tx.execute(text("SELECT 1 FROM executions LIMIT 1")))
        except LowtideError as error:
            return str(error)
        return None

    async def close(self) -> None:
        await self.engine.dispose()


def _state(error: exc.DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _is_away(error: exc.DBAPIError, state: str) -> bool:
    if error.connection_invalidated or state in _AGAIN or state in _NOT_MIGRATED or state.startswith(_AWAY):
        return True
    return not state and isinstance(error, exc.OperationalError | exc.InterfaceError)


def _unavailable(error: exc.DBAPIError, state: str) -> Unavailable:
    if state in _NOT_MIGRATED:
        return Unavailable("the control store has no tables for this version; run its migrations")
    lines = str(error.orig).strip().splitlines()
    return Unavailable(f"the control store cannot be used: {lines[0] if lines else type(error.orig).__name__}")
