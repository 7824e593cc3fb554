"""Connections to the control store: transactions that say in our own words when PostgreSQL is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lowtide.errors import LowtideError, Unavailable
from lowtide.storage.database import Connection as Driver
from lowtide.storage.database import Database as DriverDatabase
from lowtide.storage.database import kept_alive

from .lately import Lately

__all__ = ["Database", "Driver", "Tx", "driver_of"]

T = TypeVar("T")
Tx: TypeAlias = AsyncConnection

_AGAIN: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_NOT_MIGRATED: Final = frozenset({"42P01", "42703", "3F000"})  # undefined table, column, schema
_AWAY: Final = ("08", "53", "57", "58")  # connection, resources, operator intervention, system errors
_ATTEMPTS: Final = 5
_ALONE: Final = 3  # connections for what needs no transaction: starts, ends, and what is told of them
_APPLICATION: Final = "lowtide-orchestrate"


class Database:
    """At most ``connections`` connections (but at least two), made when first needed: a start needs no database."""

    def __init__(self, url: str, connections: int, *, connect_timeout: int = 5, pool_timeout: float = 15.0) -> None:
        alone = min(_ALONE, max(1, connections // 2))
        self.driver = DriverDatabase("control", url, alone, connect_timeout=connect_timeout, application=_APPLICATION)
        self.engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=max(1, connections - alone),
            max_overflow=0,
            pool_timeout=pool_timeout,
            connect_args={
                "connect_timeout": connect_timeout,
                "application_name": _APPLICATION,
                **kept_alive(url),
            },
        )
        self.lately = Lately()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What ``work`` returns, after the commit. It may be called again where two transactions crossed.

        Raises :class:`lowtide.errors.Unavailable` where the database cannot be reached or has no tables yet.
        """
        with self._busy():
            return await self._run(work)

    async def alone(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """What ``work`` returns; each of its statements is a transaction of its own. It may be called again, also where
        a statement was committed whose answer was lost.

        For the few statements that every execution needs: SQLAlchemy's connection and transaction cost four times as
        much as the statement. Raises :class:`lowtide.errors.Unavailable` as :meth:`run` does.
        """
        with self._busy():
            return await self.driver.run(work)

    def in_use(self) -> list[tuple[tuple[str, ...], float]]:
        """Connections that work now, by store and pool."""
        pool: Any = self.engine.pool
        return [(("control", "transactions"), pool.checkedout()), (("control", "statements"), self.driver.in_use)]

    def limits(self) -> list[tuple[tuple[str, ...], float]]:
        """Connections that there may be, by store and pool."""
        pool: Any = self.engine.pool
        return [(("control", "transactions"), pool.size()), (("control", "statements"), self.driver.size)]

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        for left in reversed(range(_ATTEMPTS)):
            committing = False
            try:
                async with self.engine.begin() as connection:
                    result = await work(connection)
                    committing = True
                return result
            except (exc.DBAPIError, psycopg.Error) as error:
                state = _state(error)
                # A connection that died while it was idle: nothing was done yet, another one will do.
                stale = _is_lost(error) and not committing and left == _ATTEMPTS - 1
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

    async def close(self, grace: float = 5.0) -> None:
        """Wait for transactions under way, at most ``grace`` seconds: what has a connection then keeps it open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        await self.engine.dispose()
        await self.driver.close()


async def driver_of(tx: Tx | Driver) -> Driver:
    """The driver's connection under a transaction, for the few statements that every execution needs: written by hand,
    for many executions at once, and prepared by the server, where composing them would cost more than performing them.
    """
    if isinstance(tx, psycopg.AsyncConnection):
        return tx
    connection: Driver = (await tx.get_raw_connection()).driver_connection  # type: ignore[assignment]  # untyped there
    return connection


Failure: TypeAlias = exc.DBAPIError | psycopg.Error


def _cause(error: Failure) -> BaseException | None:
    return error.orig if isinstance(error, exc.DBAPIError) else error


def _state(error: Failure) -> str:
    return str(getattr(_cause(error), "sqlstate", None) or "")


def _is_lost(error: Failure) -> bool:
    """Whether the connection is gone: the server said that it ends it (57P), or nothing any more."""
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P").startswith(("08", "57P"))


def _is_away(error: Failure, state: str) -> bool:
    if _is_lost(error) or state in _AGAIN or state in _NOT_MIGRATED or state.startswith(_AWAY):
        return True
    if isinstance(error, psycopg.Error):
        return not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return not state and isinstance(error, exc.OperationalError | exc.InterfaceError)


def _unavailable(error: Failure, state: str) -> Unavailable:
    if state in _NOT_MIGRATED:
        return Unavailable("the control store has no tables for this version; run its migrations")
    lines = str(_cause(error)).strip().splitlines()
    return Unavailable(f"the control store cannot be used: {lines[0] if lines else type(_cause(error)).__name__}")
