"""The laptop platform as one thing: ``async with Platform(Options()) as platform: ...``

In the order of starting: ports, data directory, PostgreSQL, migrations, the services at zero, broker, gateway, ticker.
It ends in the order that lets work end: ticker, execute, broker, orchestrate and the rest, PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from socket import socket
from typing import Final, Self

from aiohttp import ClientSession

from lowtide.model.base import JSON, Millis, iso
from lowtide.runtime.clock import Clock, SystemClock
from lowtide.settings import whole_environment

from . import status
from .activator import Activator, http_probe
from .databases import Databases, as_role, given_databases, of_server
from .datadir import DataDirectory
from .gateway import Gateway
from .logs import LogFile
from .migrations import migrate
from .options import Options
from .pool import Pool
from .ports import LOOPBACK, Reserved, bind
from .postgres import Postgres
from .processes import Child, start
from .programs import BROKER, command, module_of
from .proxy import new_session
from .resident import Resident
from .services import MIGRATED, SERVICES, Addresses, Name, Secrets, environment, service_of
from .serving import serve_ways
from .splice import Splice, tcp_probe
from .ticker import Ticker

__all__ = ["Platform"]

_INNER: Final[tuple[Name, ...]] = ("execute", "orchestrate", "analytics")
"""Services with a port of their own, for the broker and for each other."""

_ANALYSTS: Final = "lowtide_analysts"
_QUIET: Final = 15.0  # seconds: longer than the pause between two heartbeats of a stream
_FOLLOW: Final = 0.2  # seconds between two looks at the logs, when their lines are shown
_IN_DELIVERY: Final = 500  # events that the broker delivers at once to each subscriber, at least
_BOUND: Final = 10.0  # and when they are only kept from growing


@dataclass
class _Parts:
    """What a running platform consists of."""

    addresses: Addresses
    databases: Databases
    pools: dict[Name, Pool]
    broker: Resident
    session: ClientSession


class Platform:
    """``url`` and ``grpc`` are its two public addresses. ``say`` is told about each step of starting and ending, and
    with ``verbose`` each line that a process writes.

    ``modules`` replaces deployables by other programs that keep to the same conventions.

    Entering raises :class:`lowtide.local.refusals.CannotStart`, whose subclasses have exit codes.
    """

    def __init__(
        self,
        options: Options,
        say: Callable[[str], None] = lambda _line: None,
        modules: Mapping[Name, str] | None = None,
    ) -> None:
        self._options = options
        self._say = say
        self._clock: Clock = SystemClock()
        self._directory = DataDirectory(options.data_directory)
        self._modules = dict(modules or {})
        self._logs: dict[str, LogFile] = {}
        self._postgres: Postgres | None = None
        self._parts: _Parts | None = None
        self._since: Millis | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return self._running.addresses.gateway

    @property
    def grpc(self) -> str:
        return self._running.addresses.ingest

    @property
    def databases(self) -> Databases:
        """Where the stores are, for those who look into them."""
        return self._running.databases

    @property
    def pools(self) -> dict[Name, Pool]:
        return self._running.pools

    @property
    def broker(self) -> Resident:
        return self._running.broker

    async def status(self) -> dict[str, JSON]:
        """The JSON of ``/status``."""
        parts = self._running
        return {
            "ready": self._since is not None,
            "since": None if self._since is None else iso(self._since),
            "addresses": {"http": parts.addresses.gateway, "grpc": parts.addresses.ingest},
            "services": {name: status.of_pool(pool) for name, pool in parts.pools.items()},
            "broker": await status.of_broker(parts.broker, parts.addresses.broker, parts.session),
            "postgres": None if self._postgres is None else {"pid": self._postgres.pid},
        }

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:  # cancelled too: nothing stays that was started
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._since = None
        await self._stack.aclose()

    def kill(self) -> None:
        """End every process at once; what was not finished is found again by the next start."""
        if self._parts is not None:
            for pool in self._parts.pools.values():
                pool.kill()
            self._parts.broker.kill()
        if self._postgres is not None:
            self._postgres.kill()

    @property
    def _running(self) -> _Parts:
        assert self._parts is not None, "the platform has not been started"
        return self._parts

    # ------------------------------------------------------------ starting, in order; ending, backwards

    async def _start(self) -> None:
        options, stack = self._options, self._stack
        self._modules = {name: module_of(name) for name in SERVICES} | self._modules
        sockets: dict[str, socket] = {
            "gateway": bind(options.host, options.port, "--port"),
            "ingest": bind(options.host, options.grpc_port, "--grpc-port"),
            **{name: bind(LOOPBACK) for name in _INNER},
        }
        for taken in sockets.values():
            stack.enter_context(contextlib.closing(taken))
        self._directory.acquire()
        stack.callback(self._directory.release)
        databases = await self._databases()
        secrets = self._secrets()
        self._say("bringing the stores up to date")
        await migrate({name: self._migration(name, databases, secrets) for name in MIGRATED})
        session = await stack.enter_async_context(new_session())
        addresses = Addresses(
            gateway=f"http://{_reachable(sockets['gateway'])}",
            ingest=_reachable(sockets["ingest"]),
            broker=f"http://{LOOPBACK}:{stack.enter_context(Reserved()).port}",
            execute=f"http://{_reachable(sockets['execute'])}",
            orchestrate=f"http://{_reachable(sockets['orchestrate'])}",
            analytics=f"http://{_reachable(sockets['analytics'])}",
        )
        pools = {name: self._pool(name, databases, addresses, secrets, session) for name in SERVICES}
        broker = self._broker(databases, addresses, session)
        self._parts = _Parts(addresses, databases, pools, broker, session)
        await self._open(sockets)
        self._since = self._clock.now()
        self._say(f"ready: HTTP {addresses.gateway}, gRPC {addresses.ingest}")

    async def _databases(self) -> Databases:
        given = await given_databases(self._options)
        if given is not None:
            return given
        self._say(f"starting PostgreSQL in {self._directory.postgres}")
        options = self._options
        self._postgres = Postgres(self._directory, fsync=options.fsync, start_timeout=options.start_timeout)
        self._stack.push_async_callback(self._postgres.stop)
        databases = await of_server(await self._postgres.start())
        password = self._directory.secret("analysts-password")
        return replace(databases, analysts=as_role(databases.analytics, _ANALYSTS, password))

    def _secrets(self) -> Secrets:
        operator = whole_environment().get("LOWTIDE_OPERATOR_TOKEN") or self._directory.secret("operator-token")
        return Secrets(key=self._directory.secret("key"), operator=operator)

    async def _open(self, sockets: Mapping[str, socket]) -> None:
        """Everything that listens; on the way back the stack closes it in the reverse order."""
        parts, options, stack = self._running, self._options, self._stack
        for name in ("analytics", "ingest", "orchestrate"):
            stack.push_async_callback(parts.pools[name].close, options.stop_grace)
        activators = {name: Activator(parts.pools[name], parts.session) for name in SERVICES}
        for inner in _INNER:
            await self._listen(activators[inner], sockets[inner])
        splice = Splice(parts.pools["ingest"], max(options.idle, _QUIET))
        server = await asyncio.get_running_loop().create_server(splice.protocol, sock=sockets["ingest"])
        stack.callback(splice.close)
        stack.callback(server.close)
        stack.push_async_callback(parts.broker.stop, options.stop_grace)
        await parts.broker.start()
        stack.push_async_callback(parts.pools["execute"].close, options.stop_grace)
        gateway = Gateway(
            activators["orchestrate"], activators["analytics"], parts.addresses.broker, parts.session, self.status
        )
        await self._listen(gateway, sockets["gateway"])
        ticker = Ticker(parts.session, parts.addresses.broker, self._clock, options.tick)
        for work in (ticker.run(), self._tend_logs()):
            stack.push_async_callback(_cancelled, asyncio.create_task(work))

    async def _listen(self, front: Activator | Gateway, listening: socket) -> None:
        self._stack.push_async_callback(await serve_ways(front.way, front.handle, listening))

    # ------------------------------------------------------------ building parts

    def _pool(
        self, name: Name, databases: Databases, addresses: Addresses, secrets: Secrets, session: ClientSession
    ) -> Pool:
        service, options = service_of(name, self._options), self._options
        told = environment(name, options, databases, addresses, secrets)

        async def launch(port: int) -> Child:
            return await self._launch(name, self._modules[name], {**told, "PORT": str(port)})

        probe = tcp_probe if service.protocol == "grpc" else functools.partial(http_probe, session)
        return Pool(service, launch, probe, self._clock, idle=options.idle, start_timeout=options.start_timeout)

    def _migration(self, name: Name, databases: Databases, secrets: Secrets) -> Callable[[], Awaitable[Child]]:
        told = environment(name, self._options, databases, None, secrets)
        return functools.partial(self._launch, f"{name}-migrate", f"{self._modules[name]}.migrate", told)

    def _broker(self, databases: Databases, addresses: Addresses, session: ClientSession) -> Resident:
        """Its port is chosen once, so that the one that follows a crash answers at the same address."""
        port, execute = int(addresses.broker.rpartition(":")[2]), service_of("execute", self._options)
        told = {
            "LOWTIDE_HOST": LOOPBACK,
            "PORT": str(port),
            "LOWTIDE_BROKER_DATABASE_URL": databases.broker,
            "LOWTIDE_EXECUTE_URL": addresses.execute,
            "LOWTIDE_ORCHESTRATE_URL": addresses.orchestrate,
            "LOWTIDE_ANALYTICS_API_URL": addresses.analytics,
            "LOWTIDE_CONCURRENCY": str(max(_IN_DELIVERY, execute.limit * execute.maximum)),
        }
        launch = functools.partial(self._launch, "broker", BROKER, told)
        probe = functools.partial(http_probe, session, port)
        return Resident("broker", launch, probe, self._clock, self._options.start_timeout)

    async def _launch(self, name: str, module: str, told: Mapping[str, str]) -> Child:
        inherited = whole_environment()
        path = [given["PYTHONPATH"] for given in (told, inherited) if given.get("PYTHONPATH")]
        environ = {**inherited, **told, **({"PYTHONPATH": os.pathsep.join(path)} if path else {})}
        return await start(command(module), environ, self._log(name), self._directory.ledger)

    def _log(self, name: str) -> LogFile:
        if name not in self._logs:
            self._logs[name] = self._directory.log(name)
        return self._logs[name]

    async def _tend_logs(self) -> None:
        while True:
            for name, log in self._logs.items():
                if self._options.verbose:
                    for line in log.follow():
                        self._say(f"{name:<11} | {line}")
                log.bound()
            await self._clock.sleep(_FOLLOW if self._options.verbose else _BOUND)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _reachable(listening: socket) -> str:
    """host:port at which what listens here can be reached from this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
