"""gRPC in front of a pool: each connection is held until a process is ready, then joined to one to that process.

Bytes pass as they are, so HTTP/2 stays between the two ends. Load is open connections. One on which nothing was said
for a while counts as idle (a client keeps its channel long after its last call): it may be cut when an idle process
ends, and gRPC opens it again with the next call.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from lowtide.errors import LowtideError

from .pool import Instance, Pool
from .ports import LOOPBACK

__all__ = ["Splice", "tcp_probe"]

_ATTEMPTS: Final = 3


class Splice:
    """Give :meth:`protocol` to the server of the public socket. ``quiet``: seconds until silence counts as idle."""

    def __init__(self, pool: Pool, quiet: float) -> None:
        self._pool = pool
        self._quiet = quiet
        self._open: set[asyncio.Transport] = set()
        self._joining: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.Protocol:
        return _Front(self)

    def close(self) -> None:
        for task in self._joining:
            task.cancel()
        for transport in list(self._open):
            transport.abort()

    def accepted(self, front: _Front) -> None:
        self._open.add(front.transport)
        task = asyncio.create_task(self._join(front))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, front: _Front) -> None:
        for _ in range(_ATTEMPTS):
            try:
                instance = await self._pool.acquire()
            except LowtideError:
                break  # the client sees a closed connection: UNAVAILABLE, which is to be tried again
            meter = _Meter(self._pool, instance, self._quiet)
            try:
                loop = asyncio.get_running_loop()
                _, back = await loop.create_connection(lambda: _End(meter), LOOPBACK, instance.port)  # noqa: B023
            except OSError:
                meter.close()
                self._pool.discard(instance)
                continue
            except asyncio.CancelledError:
                meter.close()
                raise
            front.join(back, meter)
            return
        front.transport.abort()

    def lost(self, front: _Front) -> None:
        self._open.discard(front.transport)


class _Meter:
    """Counts one connection as load of its instance while there is talk on it."""

    def __init__(self, pool: Pool, instance: Instance, quiet: float) -> None:
        self._pool = pool
        self._instance = instance
        self._quiet = quiet
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._counted = True
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(quiet, self._look)

    def heard(self) -> None:
        self._last = self._loop.time()
        if not self._counted and self._timer is None:
            self._counted = True
            self._pool.resume(self._instance)
            self._timer = self._loop.call_later(self._quiet, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._silent()

    def _look(self) -> None:
        silent = self._loop.time() - self._last
        if silent < self._quiet:
            self._timer = self._loop.call_later(self._quiet - silent, self._look)
        else:
            self._timer = None
            self._silent()

    def _silent(self) -> None:
        if self._counted:
            self._counted = False
            self._pool.release(self._instance)


class _End(asyncio.Protocol):
    """One end of a pair: what it receives is written to its peer, which slows it down when it cannot follow."""

    def __init__(self, meter: _Meter | None = None) -> None:
        self.transport: asyncio.Transport
        self.meter = meter
        self.peer: _End | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()  # until there is a peer

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.meter is not None:  # always, while reading is not paused
            self.meter.heard()
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def eof_received(self) -> bool:
        """The other direction stays open until it ends too."""
        self.ended = True
        if self.peer is None or self.peer.ended:
            return False
        self.peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None:
            self.peer.transport.close()
            self.peer = None
        if self.meter is not None:
            self.meter.close()


class _Front(_End):
    """The client's end."""

    def __init__(self, splice: Splice) -> None:
        super().__init__()
        self._splice = splice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._splice.accepted(self)

    def join(self, back: _End, meter: _Meter) -> None:
        self.meter, self.peer, back.peer = meter, back, self
        if self.transport.is_closing() or back.transport.is_closing():
            self.transport.abort()
            back.transport.abort()
            meter.close()
            return
        self.transport.resume_reading()
        back.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._splice.lost(self)


async def tcp_probe(port: int) -> bool:
    """Whether the port accepts connections: a gRPC server binds its port when it has all its services."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
