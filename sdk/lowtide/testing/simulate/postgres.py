"""Real PostgreSQL inside a simulated world: one statement at a time, by the virtual clock.

Connections are psycopg's own, so that the drivers above them (SQLAlchemy's, ingest's) run as they are; only the
waiting is ours. A statement is sent and answered within one callback of the loop. Where the server makes it wait for a
lock, its task waits, everybody else goes on, and whenever a transaction ends we look who may go on now. Nothing runs in
the server while Python runs, so equal seeds meet equal locks.

The server's clock is a file: a schema that comes before ``pg_catalog`` has ``clock_timestamp()`` and ``now()`` of its
own. Tables must be made through :meth:`Station.url`, so that their defaults read that clock as well.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg._preparing import PrepareManager
from psycopg.conninfo import make_conninfo
from psycopg.pq.abc import PGconn

from lowtide.testing.emptying import Emptying
from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.process import Process, current

__all__ = ["START", "Connection", "Station", "Store"]

RV = TypeVar("RV")

START: Final = 1_767_225_600.0
"""Seconds since 1970 at which every world begins."""

_USUAL: Final = 0.0008
_PATIENCE: Final = 15
"""Milliseconds after which a statement that is not answered may be waiting for a lock."""

_CLOCK: Final = """
CREATE SCHEMA simulated;
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  $$ SELECT pg_catalog.to_timestamp(pg_catalog.pg_read_file('{clock}')::double precision) $$;
CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  $$ SELECT simulated.clock_timestamp() $$;
"""

_SETTINGS: Final = "-csynchronous_commit=off -cdeadlock_timeout=1ms -cjit=off -cplan_cache_mode=force_generic_plan"
_SERVER: Final = {
    **{"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "track_counts": "off"},
    **{"bgwriter_delay": "'10s'", "wal_writer_delay": "'10s'", "checkpoint_timeout": "'1d'"},
}
"""Nobody pulls the plug of this server, and nothing in it happens but what a world asks for."""
_PREPARED: Final = 2_000
"""Statements that a session keeps prepared: more than the deployables have."""


class Session:
    """A session of the server, which serves one connection after the other: what it has prepared stays prepared."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pgconn: PGconn = pq.PGconn.connect(make_conninfo(url).encode())
        if self.pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError(self.pgconn.get_error_message())
        self.pgconn.nonblocking = 1
        self.listens = False
        self.prepared = PrepareManager()
        self.prepared.prepare_threshold = 0
        self.prepared.prepared_max = _PREPARED

    def clean(self) -> None:
        """Roll back what was begun, and forget what was told, as if it had been closed."""
        self.pgconn.nonblocking = 0
        if self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self.pgconn.exec_(b"ROLLBACK")
        if self.listens:
            self.pgconn.exec_(b"UNLISTEN *")
            self.listens = False
        self.pgconn.notifies()
        self.pgconn.nonblocking = 1


class Station:
    """One database of one server, made for one world after the other. ``clock`` is a file that the server can read."""

    def __init__(self, server: str, clock: Path) -> None:
        self._server = server
        self._idle: dict[str, list[Session]] = {}
        self._file = os.open(clock, os.O_RDWR | os.O_CREAT, 0o644)
        self.set_clock(START)
        self._keeper = psycopg.connect(server, autocommit=True)
        for name, value in _SERVER.items():
            self._keeper.execute(f"ALTER SYSTEM SET {name} = {value}")
        self._keeper.execute("SELECT pg_reload_conf()")
        self._keeper.execute(_CLOCK.format(clock=clock))
        self._tables = Emptying()

    def url(self, schema: str) -> str:
        """Where a store finds its tables: they live in a schema of their own."""
        self._keeper.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        options = quote(f"-csearch_path={schema},simulated,pg_catalog {_SETTINGS}")
        return f"{self._server}{'&' if '?' in self._server else '?'}options={options}"

    def set_clock(self, seconds: float) -> None:
        os.pwrite(self._file, b"%017.6f" % seconds, 0)

    def take(self, url: str) -> Session:
        """A session of the server that nobody uses."""
        idle = self._idle.setdefault(url, [])
        return idle.pop() if idle else Session(url)

    def give_back(self, session: Session) -> None:
        """What it had begun is rolled back, and what it was told is forgotten, as if it had been closed."""
        pgconn = session.pgconn
        if pgconn.transaction_status == pq.TransactionStatus.ACTIVE or pgconn.pipeline_status != pq.PipelineStatus.OFF:
            self._keeper.execute("SELECT pg_terminate_backend(%s, 60000)", [pgconn.backend_pid])
            pgconn.finish()
            return
        session.clean()
        self._idle[session.url].append(session)

    def waits(self, session: PGconn) -> bool:
        """Whether a session waits for a lock that another one holds."""
        row = self._keeper.execute("SELECT cardinality(pg_blocking_pids(%s))", [session.backend_pid]).fetchone()
        return row is not None and row[0] > 0

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the world itself looks up, outside of all simulated time."""
        return self._keeper.execute(query).fetchall()

    def spare(self, tables: Mapping[str, str | None]) -> None:
        """As :meth:`lowtide.testing.emptying.Emptying.spare`."""
        self._tables.spare(self._keeper, tables)

    def empty(self, *, everything: bool = False) -> None:
        """Of what a world has left."""
        self._tables.empty(self._keeper, everything=everything)

    def close(self) -> None:
        for sessions in self._idle.values():
            for session in sessions:
                session.pgconn.finish()
        self._keeper.close()
        os.close(self._file)


class Store:
    """One store in one world: hands out connections, and knows who waits for whom.

    ``ahead``: seconds that the server's clock is ahead of the world's. ``on_commit`` is told of each commit.
    """

    def __init__(self, station: Station, name: str, url: str, faults: Faults) -> None:
        self.name = name
        self.ahead = 0.0
        self.statements = 0
        self.faults = faults
        self.station = station
        self.listening: dict[asyncio.Event, None] = {}
        self.connections: dict[Connection, None] = {}
        self._url = url
        self._waiting: dict[Connection, asyncio.Future[None]] = {}

    async def connect(self) -> Connection:
        """Raises ``psycopg.OperationalError`` where the store is down."""
        await asyncio.sleep(self.faults.delay(_USUAL))
        self.check()
        session = self.station.take(self._url)
        connection = Connection(session.pgconn)
        connection.begin(self, session)
        self.connections[connection] = None
        return connection

    def interrupt(self) -> None:
        """The server ends all sessions, as it does when it restarts."""
        for connection in list(self.connections):
            connection.let_go()

    def check(self) -> None:
        if self.name in self.faults.down:
            raise psycopg.OperationalError(f"the {self.name} store is down, says the simulation")

    def give_back(self, connection: Connection) -> None:
        del self.connections[connection]
        waiting = self._waiting.get(connection)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        self.station.give_back(connection.session)
        self.look_again()

    def look_again(self) -> None:
        """A transaction has ended: whoever waited for its locks may have its answer now."""
        for connection, future in list(self._waiting.items()):
            if not future.done() and connection.settled():
                future.set_result(None)

    def crowded(self, connection: Connection) -> bool:
        """Whether anybody else is in a transaction, so that locks may be in the way."""
        idle = pq.TransactionStatus.IDLE
        return any(other.pgconn.transaction_status != idle for other in self.connections if other is not connection)

    async def wait_for_lock(self, connection: Connection) -> None:
        self._waiting[connection] = asyncio.get_running_loop().create_future()
        try:
            await self._waiting[connection]
        finally:
            del self._waiting[connection]

    def tell_time(self) -> None:
        self.statements += 1
        self.station.set_clock(START + asyncio.get_running_loop().time() + self.ahead)


class Connection(psycopg.AsyncConnection[Any]):
    """psycopg's connection on the simulation's time."""

    session: Session
    _store: Store
    _process: Process | None
    _over = False
    _tells = False

    def begin(self, store: Store, session: Session) -> None:
        self.session = session
        self._prepared = session.prepared
        self._store = store
        self._process = current.get()
        self._forget = self._process.at_end(self.let_go) if self._process else lambda: None

    @property
    def closed(self) -> bool:
        return self._over or super().closed

    async def close(self) -> None:
        self._forget()
        self.let_go()

    def let_go(self) -> None:
        if not self._over:
            self._over = True
            self._store.give_back(self)

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        await asyncio.sleep(self._store.faults.delay(_USUAL))
        if self._over:
            raise psycopg.OperationalError("the connection is closed")
        try:
            self._store.check()
        except psycopg.Error:
            self.let_go()  # the server went away, and every connection with it
            raise
        self._store.tell_time()
        within = self._in_transaction()
        try:
            answer = await self._drive(gen)
        finally:
            if not self._in_transaction() and not self._over:
                if within:
                    self._store.look_again()
                self._tell()
        if self.autocommit and not within and not self._in_transaction():
            await self._threaten(self._store.faults.odds.crash_after_commit)
        return answer

    def _in_transaction(self) -> bool:
        return self.pgconn.transaction_status != pq.TransactionStatus.IDLE

    async def _drive(self, gen: Any) -> Any:
        try:
            wants = next(gen)
            while True:
                ready = self._poll(wants)
                while not ready:
                    if not self._store.crowded(self) or not self._store.station.waits(self.pgconn):
                        ready = self._poll(wants)
                        continue
                    await self._store.wait_for_lock(self)
                    if self._over:
                        raise psycopg.OperationalError("the connection is closed")
                    ready = self._poll(wants)
                wants = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _poll(self, wants: int) -> int:
        poll = select.poll()
        poll.register(self.pgconn.socket, (select.POLLIN if wants & 1 else 0) | (select.POLLOUT if wants & 2 else 0))
        for _, events in poll.poll(_PATIENCE):
            return (1 if events & (select.POLLIN | select.POLLHUP) else 0) | (2 if events & select.POLLOUT else 0)
        return 0

    def settled(self) -> bool:
        """Whether the server has answered what this connection waits for, or waits for a lock again (``False``)."""
        while not self._poll(1):
            if self._store.station.waits(self.pgconn):
                return False
        return True

    # ------------------------------------------------------------ where a process may die

    async def commit(self) -> None:
        async with self._perhaps_dying():
            await self._threaten(self._store.faults.odds.crash_before_commit)
            await super().commit()

    async def rollback(self) -> None:
        """Where nothing was begun, the server is not asked: pools roll back whatever is given back to them."""
        if self._in_transaction():
            await super().rollback()

    @asynccontextmanager
    async def transaction(self, *given: Any, **named: Any) -> AsyncIterator[psycopg.AsyncTransaction]:
        async with self._perhaps_dying(), super().transaction(*given, **named) as transaction:
            yield transaction
            await self._threaten(self._store.faults.odds.crash_before_commit)

    @asynccontextmanager
    async def _perhaps_dying(self) -> AsyncIterator[None]:
        yield
        await self._threaten(self._store.faults.odds.crash_after_commit)

    async def _threaten(self, crash: float) -> None:
        faults = self._store.faults
        await faults.threaten(self._process, crash, faults.odds.freeze_at_commit)

    # ------------------------------------------------------------ notifications

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self._tells = self._tells or "pg_notify" in str(query)
        self.session.listens = self.session.listens or str(query).startswith("LISTEN")
        return await super().execute(query, params, **options)

    def _tell(self) -> None:
        if self._tells:
            self._tells = False
            for listening in self._store.listening:
                listening.set()

    async def notifies(self, **_: Any) -> AsyncGenerator[psycopg.Notify, None]:
        """Notifications travel with the answers to statements: one that asks nothing fetches them."""
        arrived: list[psycopg.Notify] = []
        told = asyncio.Event()
        self.add_notify_handler(arrived.append)
        self._store.listening[told] = None
        try:
            while True:
                await told.wait()
                told.clear()
                await super().execute("SELECT")
                while arrived:
                    yield arrived.pop(0)
        finally:
            del self._store.listening[told]
