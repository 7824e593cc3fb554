"""The port on which a process's measures are read: ``GET /metrics``, and nothing else.

A port of its own, so that what the world reaches shows nothing of the inside, that reading keeps no function from going
to zero (requests past Knative's proxy do not count), and that the one function which speaks gRPC is read like the
others. A few lines on asyncio's streams: a web framework would cost more at a cold start than everything that is
measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Final

from lowtide.errors import Misconfigured
from lowtide.telemetry.exposition import check_installed, exposition
from lowtide.telemetry.measures import Measure, Reading

__all__ = ["serving_measures"]

log = logging.getLogger("lowtide.telemetry")

_PATIENCE: Final = 10.0
"""Seconds that a reader may take to ask, and to take the answer."""
_LARGEST_HEAD: Final = 16 * 1024

Asked = Callable[[], Awaitable[Sequence[Measure]]]


@contextlib.asynccontextmanager
async def serving_measures(deployable: str, host: str, port: int, asked: Asked) -> AsyncIterator[None]:
    """Answer readers while the context lasts; not at all where ``port`` is 0. ``asked`` gives the measures; where it
    gives none, nothing is imported to tell them.

    Raises :class:`lowtide.errors.Misconfigured` where the extra is missing or the port is taken.
    """
    if not port:
        yield
        return
    check_installed()
    about = "Which version runs here; always 1"
    build = Reading("lowtide_build_info", about, lambda: [((deployable, version("lowtide")), 1.0)], ("part", "version"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await _answered(await reader.readuntil(b"\r\n\r\n"), asked, build))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            writers.discard(writer)

    writers: set[asyncio.StreamWriter] = set()
    try:
        server = await asyncio.start_server(answer, host, port, limit=_LARGEST_HEAD)
    except OSError as error:
        raise Misconfigured(f"LOWTIDE_METRICS_PORT={port}: cannot listen there: {error}") from error
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def _answered(head: bytes, asked: Asked, build: Reading) -> bytes:
    request, *lines = head.decode("latin-1").split("\r\n")
    method, _, target = request.partition(" ")
    if target.partition(" ")[0].partition("?")[0] != "/metrics":
        return _response("404 Not Found", "text/plain", b"there is /metrics here, and nothing else\n")
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", "text/plain", b"only GET is offered here\n")
    try:
        measures = await asked()
        if not measures:
            return _response("200 OK", "text/plain; version=0.0.4; charset=utf-8", b"")
        content_type, body = await asyncio.to_thread(exposition, [build, *measures], _accepted(lines))
    except Exception:  # whatever breaks here must break nothing else: the reader hears of it, and the log
        log.exception("the measures could not be told")
        return _response("500 Internal Server Error", "text/plain", b"the log of this process says why\n")
    return _response("200 OK", content_type, b"" if method == "HEAD" else body)


def _accepted(lines: Sequence[str]) -> str:
    return next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("accept:")), "")


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body
