"""Ingest's procedures over the simulated network: what the client's stub and the server's context are elsewhere.

Messages are written and read again, as on the wire; what breaks on the way looks as gRPC shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio

from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.testing.simulate.network import Lost, Network, Pipe, Replicas
from lowtide.testing.simulate.process import Process, current

__all__ = ["Line"]

M = TypeVar("M")


class _Aborted(Exception):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


class _Context:
    """The server's side of one call, as far as our service uses it."""

    async def abort(self, code: grpc.StatusCode, details: str = "") -> NoReturn:
        raise _Aborted(code, details)


class Line:
    """Stands where a client has its stub: calls go to any replica, a stream to one for as long as it lasts."""

    def __init__(self, network: Network, replicas: Replicas[Any]) -> None:
        self._network = network
        self._replicas = replicas

    def __getattr__(self, procedure: str) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, timeout: float, wait_for_ready: bool) -> Any:
            assert wait_for_ready
            return await self._call(procedure, request, timeout)

        return call

    async def _call(self, procedure: str, request: Any, timeout: float) -> Any:
        sent = _copied(request)
        try:
            async with asyncio.timeout(timeout):
                process, service = await self._replicas.wait()
                return _copied(await self._network.call(process, lambda: getattr(service, procedure)(sent, _Context())))
        except TimeoutError:
            raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline is over") from None
        except Lost as lost:
            raise _error(grpc.StatusCode.UNAVAILABLE, str(lost)) from None
        except _Aborted as aborted:
            raise _error(aborted.code, aborted.details) from None

    def Report(self, wait_for_ready: bool) -> _Stream:
        assert wait_for_ready
        return _Stream(self._network, self._replicas)


class _Stream:
    """One Report stream, from its client's side."""

    def __init__(self, network: Network, replicas: Replicas[Any]) -> None:
        self._network = network
        self._out: Pipe[pb.Batch] = network.pipe()
        self._in: Pipe[pb.Push] = network.pipe()
        self._broken: Exception | None = None
        self._server: tuple[Process, asyncio.Task[None]] | None = None
        caller = current.get()
        assert caller is not None, "only processes make calls"
        self._forget = caller.at_end(self.cancel)
        self._connecting = asyncio.ensure_future(self._connect(replicas))

    async def _connect(self, replicas: Replicas[Any]) -> None:
        process, service = await replicas.wait()
        await self._network.travel()
        if not process.alive:
            self._break("the replica is gone")
            return
        forget = process.at_end(lambda: self._break("the replica is gone"))
        serving = process.spawn(self._serve(service))
        serving.add_done_callback(lambda _: forget())
        self._server = (process, serving)

    async def _serve(self, service: Any) -> None:
        error: Exception | None = None
        try:
            async for push in service.Report(self._batches(), _Context()):
                self._in.put(_copied(push))
        except _Aborted as aborted:
            error = _error(aborted.code, aborted.details)
        except Lost as lost:
            error = _error(grpc.StatusCode.UNKNOWN, str(lost))
        self._in.close(error)

    async def _batches(self) -> AsyncIterator[pb.Batch]:
        while (batch := await self._out.get()) is not None:
            yield batch

    async def write(self, batch: pb.Batch) -> None:
        await asyncio.wait([self._connecting])
        await self._network.travel()
        faults = self._network.faults
        if faults.happens(faults.odds.cut):
            self._break("the stream was cut")
        if self._broken is not None:
            raise self._broken
        self._out.put(_copied(batch))

    async def done_writing(self) -> None:
        self._out.close()

    def __aiter__(self) -> AsyncIterator[pb.Push]:
        return self._pushes()

    async def _pushes(self) -> AsyncIterator[pb.Push]:
        while (push := await self._in.get()) is not None:
            yield push

    def cancel(self) -> None:
        self._break("the client hung up")

    def _break(self, why: str) -> None:
        """Both ends notice: the server's handler is cancelled, the client meets with an error."""
        if self._broken is not None:
            return
        self._broken = _error(grpc.StatusCode.UNAVAILABLE, why)
        self._forget()
        self._connecting.cancel()
        self._in.close(self._broken)
        if self._server is not None:
            process, serving = self._server
            process.call(serving.cancel)


def _copied(message: M) -> M:
    whole: Any = message
    copy: M = type(whole).FromString(whole.SerializeToString())
    return copy


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, None)
