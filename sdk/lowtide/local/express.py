"""Small requests to a pool, passed on without a task or a copy; everything else is aiohttp's.

Most requests are whole when they are first seen: a head without surprises and a small body. Such a one is written to a
kept connection of a ready process, and its answer to the client as it comes. A connection on which anything else is
asked (a body that is long or of unknown length, an upgrade, HEAD, HTTP/1.0, what is no HTTP, a path that no pool
serves) is handed to aiohttp, with what has come on it, and stays there.

What a client sees is the same on both ways (see ``activator``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from lowtide.errors import LowtideError
from lowtide.model.base import JSON
from lowtide.wire import json, problem

from .backs import Back, Backs
from .heads import LARGEST_HEAD, fields_of, kept, read_request
from .pool import Instance, Pool
from .proxy import ATTEMPTS, NOTICED, REPEATABLE, gone_away

__all__ = ["Express", "Way"]

_OURS: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-prefix"})
_IDLE: Final = 75.0
"""Seconds that a client's connection may rest."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request goes: to a pool, under a target; ``prefix`` is what was taken from it."""

    pool: Pool
    target: str
    prefix: str = ""


class Express:
    """``way`` says where a raw target goes, if a pool serves it; ``slow`` makes the protocol for everything else."""

    def __init__(self, way: Callable[[str], Way | None], slow: Callable[[], asyncio.Protocol], backs: Backs) -> None:
        self.way = way
        self.slow = slow
        self.backs = backs
        self._fronts: set[_Front] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def protocol(self) -> asyncio.Protocol:
        return _Front(self)

    def add(self, front: _Front) -> None:
        self._fronts.add(front)

    def remove(self, front: _Front) -> None:
        self._fronts.discard(front)
        self.look()

    def look(self) -> None:
        """Whether requests are under way may have changed."""
        if any(front.busy for front in self._fronts):
            self._quiet.clear()
        else:
            self._quiet.set()

    async def close(self, grace: float) -> None:
        """Requests that are under way have so many seconds to end."""
        for front in list(self._fronts):
            front.leave()
        self.look()
        try:
            async with asyncio.timeout(grace):
                await self._quiet.wait()
        except TimeoutError:
            pass
        for front in list(self._fronts):
            front.transport.abort()


@dataclass(slots=True)
class _Request:
    """A whole request on its way."""

    method: str
    way: Way
    data: bytes
    repeatable: bool
    attempts: int = 0


class _Front(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, express: Express) -> None:
        self.transport: asyncio.Transport
        self._express = express
        self._loop = asyncio.get_running_loop()
        self._came = b""
        self._request: _Request | None = None
        self._instance: Instance | None = None
        self._back: Back | None = None
        self._begun = self._last = self._lost = False
        self._carrying: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rested = self._loop.time()

    @property
    def busy(self) -> bool:
        return self._request is not None

    def leave(self) -> None:
        """Close the connection when the request that is under way has been answered."""
        self._last = True
        if not self.busy:
            self.transport.close()

    # ------------------------------------------------------------ of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._express.add(self)
        self._timer = self._loop.call_later(_IDLE, self._look)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if self.busy:
            if len(self._came) > LARGEST_HEAD:
                self.transport.pause_reading()
        else:
            self._next()

    def pause_writing(self) -> None:
        if self._back is not None:
            self._back.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._back is not None:
            self._back.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """What is under way goes on: a handler that has begun an effect must be able to write down that it did."""
        self._lost = True
        self._stop_timer()
        if self._back is not None:
            self._back.transport.resume_reading()
        self._express.remove(self)

    def _look(self) -> None:
        rests = 0.0 if self.busy else self._loop.time() - self._rested
        if rests >= _IDLE:
            self.transport.close()
        else:
            self._timer = self._loop.call_later(_IDLE - rests, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------ what is asked

    def _next(self) -> None:
        """Go on with what has come, if it is a whole request."""
        end = self._came.find(b"\r\n\r\n")
        if end < 0:
            if len(self._came) > LARGEST_HEAD:
                self._hand_over()
            return
        end += 4
        read = read_request(self._came[:end])
        way = None if read is None else self._express.way(read.target.decode("ascii", "replace"))
        if read is None or way is None:
            self._hand_over()
            return
        method, length = read.method, read.length
        if len(self._came) < end + length:
            return
        body, self._came = self._came[end : end + length], self._came[end + length :]
        peer = self.transport.get_extra_info("peername")
        forwarded = [(b"X-Forwarded-For", str(peer[0]).encode() if peer else b""), (b"X-Forwarded-Proto", b"http")]
        if way.prefix:
            forwarded.append((b"X-Forwarded-Prefix", way.prefix.encode()))
        first = b"%b %b HTTP/1.1\r\n" % (method.encode(), way.target.encode())
        data = first + fields_of(kept(read.fields, _OURS) + forwarded) + body
        repeatable = method in REPEATABLE or any(name.lower() == b"idempotency-key" for name, _ in read.fields)
        self._last = self._last or read.closes
        self._request = _Request(method, way, data, repeatable)
        self._begun = False
        self._go()

    def _hand_over(self) -> None:
        slow = self._express.slow()
        self._stop_timer()
        self._express.remove(self)
        self.transport.set_protocol(slow)
        slow.connection_made(self.transport)
        came, self._came = self._came, b""
        slow.data_received(came)

    def _go(self) -> None:
        """At once where a process is ready and a connection at hand, else as soon as it is so."""
        assert self._request is not None
        pool = self._request.way.pool
        instance = pool.at_once()
        back = None if instance is None else self._express.backs.at_hand(instance.port)
        if instance is not None and back is not None:
            self._ask(instance, back)
        else:
            self._carry(instance)

    def _carry(self, instance: Instance | None, wait: float = 0.0) -> None:
        self._carrying = asyncio.ensure_future(self._reach(instance, wait))

    async def _reach(self, instance: Instance | None, wait: float) -> None:
        request = self._request
        assert request is not None
        await asyncio.sleep(wait)
        why = ""
        pool = request.way.pool
        try:
            while request.attempts < ATTEMPTS:
                instance = instance or await pool.acquire()
                try:
                    back = await self._express.backs.connect(instance.port)
                except OSError as error:
                    request.attempts += 1
                    why = str(error)
                    pool.release(instance)
                    pool.discard(instance)
                    instance = None
                except BaseException:  # cancelled too: the process must not stay counted as busy
                    pool.release(instance)
                    raise
                else:
                    self._ask(instance, back)
                    return
        except LowtideError as error:
            self._refuse(problem.of_error(error))
        else:
            self._refuse(gone_away(pool.service.name, why))

    def _ask(self, instance: Instance, back: Back) -> None:
        assert self._request is not None
        self._request.attempts += 1
        self._instance, self._back = instance, back
        back.ask(self._request.data, self)

    # ------------------------------------------------------------ what is answered

    def take(self, data: bytes) -> None:
        self._begun = True
        if not self._lost:
            self.transport.write(data)

    def ended(self, *, close: bool) -> None:
        self._release()
        self._last = self._last or close
        self._rest()

    def broken(self, why: str) -> None:
        request = self._request
        assert request is not None
        self._release()
        if self._begun:
            self.transport.abort()  # so that the client sees an answer that was cut off, and not one that is whole
            self._last = True
            self._rest()
        elif request.repeatable and request.attempts < ATTEMPTS:
            self._carry(None, NOTICED)
        else:
            self._refuse(gone_away(request.way.pool.service.name, why))

    def _release(self) -> None:
        instance, self._instance, self._back = self._instance, None, None
        if instance is not None and self._request is not None:
            self._request.way.pool.release(instance)

    def _refuse(self, document: dict[str, JSON]) -> None:
        """Answer with a problem document."""
        status, body = HTTPStatus(int(str(document["status"]))), json.encode(document)
        told = {**problem.headers(document), "Content-Length": str(len(body))}
        fields = [(name.encode(), value.encode()) for name, value in told.items()]
        self.take(b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) + fields_of(fields) + body)
        self._rest()

    def _rest(self) -> None:
        """The answer is whole: the next request, or the end."""
        self._request = None
        self._rested = self._loop.time()
        self._express.look()
        if self._lost:
            return
        if self._last:
            self.transport.close()
            return
        self.transport.resume_reading()
        if self._came:
            self._next()
