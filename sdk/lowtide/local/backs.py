"""Kept connections to the processes behind the gateway, and one request at a time on each of them.

What a process answers goes to its client as it came, byte by byte; the parser only watches for the end. The fields that
belong to one connection stay behind (RFC 9110, 7.6.1).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final, Protocol, cast

import httptools

from .heads import LARGEST_HEAD, fields_of, kept
from .ports import LOOPBACK

__all__ = ["Back", "Backs", "Taker"]

_KEPT: Final = 3.0
"""Seconds that a connection may have rested to be used again: less than our servers keep theirs."""

_WITHOUT_BODY: Final = frozenset({204, 304})


class Taker(Protocol):
    """Who asked: gets the answer in pieces, then hears that it is whole, or that it will never be."""

    def take(self, data: bytes) -> None: ...

    def ended(self, *, close: bool) -> None:
        """The answer is whole. ``close``: only the connection's end says so to the client too."""
        ...

    def broken(self, why: str) -> None:
        """The process went away before the answer was whole."""
        ...


class Back(asyncio.Protocol):
    """One connection to a process."""

    def __init__(self, backs: Backs, port: int) -> None:
        self.transport: asyncio.Transport
        self.rested = 0.0
        self._backs = backs
        self._port = port
        self._taker: Taker | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._head = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._begun = self._whole = self._until_closed = self._again = False

    def ask(self, request: bytes, taker: Taker) -> None:
        """Send it; ``taker`` hears of the answer."""
        self._taker = taker
        self._parser = httptools.HttpResponseParser(self)
        self._head, self._fields = b"", []
        self._begun = self._whole = self._until_closed = self._again = False
        self.transport.write(request)

    # ------------------------------------------------------------ of the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self._again = self._parser.should_keep_alive()  # it knows no more once the message is complete

    def on_message_complete(self) -> None:
        self._whole = True

    # ------------------------------------------------------------ of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        taker, parser = self._taker, self._parser
        if taker is None or parser is None:
            self.transport.abort()  # it speaks without being asked
            return
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(f"its answer is no HTTP, or not ours to understand: {error}")
            return
        if not self._begun:
            data = self._opening(data)
            if not data:
                return
        taker.take(data)
        if self._whole:
            self._end(close=False)

    def _opening(self, data: bytes) -> bytes:
        """The answer's head for the client, and what follows it; nothing while the head is not whole."""
        head = self._head = self._head + data
        end = head.find(b"\r\n\r\n")
        if end < 0:
            if len(head) > LARGEST_HEAD:
                self._break("the head of its answer does not end")
            return b""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            self._break(f"it answered {status}, which nobody had asked for")
            return b""
        self._begun, self._head = True, b""
        names = {name.lower() for name, _ in self._fields}
        self._until_closed = status not in _WITHOUT_BODY and not names & {b"content-length", b"transfer-encoding"}
        fields = kept(self._fields)
        if self._until_closed:
            fields.append((b"Connection", b"close"))
        first = head[: head.index(b"\r\n") + 2]
        return first + fields_of(fields) + head[end + 4 :]

    def _end(self, *, close: bool) -> None:
        taker, self._taker, self._parser = self._taker, None, None
        assert taker is not None
        if close or not self._again:
            self.transport.close()
        else:
            self.transport.resume_reading()
            self._backs.rest(self._port, self)
        taker.ended(close=close)

    def _break(self, why: str) -> None:
        taker, self._taker, self._parser = self._taker, None, None
        self.transport.abort()
        if taker is not None:
            taker.broken(why)

    def connection_lost(self, exc: Exception | None) -> None:
        self._backs.forget(self._port, self)
        if self._taker is not None and self._until_closed and exc is None:
            self._end(close=True)
        else:
            self._break(str(exc or "the connection was closed"))


class Backs:
    """The connections that rest, by port."""

    def __init__(self) -> None:
        self._resting: defaultdict[int, list[Back]] = defaultdict(list)

    def at_hand(self, port: int) -> Back | None:
        """One that can be used at once."""
        resting = self._resting[port]
        oldest = asyncio.get_running_loop().time() - _KEPT
        while resting:
            back = resting.pop()
            if back.rested > oldest and not back.transport.is_closing():
                return back
            back.transport.close()
        return None

    async def connect(self, port: int) -> Back:
        """A new one. Raises :class:`OSError`."""
        _, back = await asyncio.get_running_loop().create_connection(lambda: Back(self, port), LOOPBACK, port)
        return back

    def rest(self, port: int, back: Back) -> None:
        back.rested = asyncio.get_running_loop().time()
        self._resting[port].append(back)

    def forget(self, port: int, back: Back) -> None:
        resting = self._resting.get(port)
        if resting is not None and back in resting:
            resting.remove(back)
        if not resting:
            self._resting.pop(port, None)

    def close(self) -> None:
        for resting in list(self._resting.values()):
            for back in list(resting):
                back.transport.close()
