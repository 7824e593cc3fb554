"""A client of the bare protocol, for tests that send what our client never would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from lowtide.model.base import ExecutionId
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.rpc.v1.ingest_pb2_grpc import IngestStub
from lowtide.runtime.chance import new_execution_id, new_owner
from lowtide.runtime.clock import SystemClock

END = vars(grpc.aio)["EOF"]  # the stubs lack it
"""What reading a stream that has ended gives."""

__all__ = ["END", "Owner", "execution", "record", "talking_to"]


def execution() -> ExecutionId:
    return new_execution_id(SystemClock().now())


def record(number: int, body: bytes = b"{}", epoch: int = 1) -> pb.Record:
    return pb.Record(number=number, epoch=epoch, body=body)


class Owner:
    """One process: its name, its calls, at most one stream."""

    def __init__(self, stub: Any) -> None:
        self.name = new_owner()
        self.stub = stub
        self.pushed: list[pb.Push] = []
        self._call: Any = None
        self._sequence = 0

    async def open(self, execution: str, epoch: int = 1, digest: str = "digest", upto: int = 0) -> pb.OpenReply:
        request = pb.OpenRequest(execution=execution, epoch=epoch, digest=digest, upto=upto, owner=self.name)
        reply: pb.OpenReply = await self.stub.Open(request, timeout=10)
        return reply

    async def ask(self, *executions: str, **others: Any) -> list[str]:
        """Which of these were opened on the stream; ``others`` are members that differ from the usual ones."""
        usual = {"epoch": 1, "digest": "digest", "owner": self.name, **others}
        ack = await self._acknowledged(opens=[pb.OpenRequest(execution=one, **usual) for one in executions])
        return [opened.execution for opened in ack.opened]

    async def send(self, *appends: pb.Append, **parts: Any) -> list[pb.Refusal]:
        """One batch; what was refused. Signals that come meanwhile are kept in ``pushed``."""
        return list((await self._acknowledged(appends=appends, **parts)).refused)

    async def _acknowledged(self, **parts: Any) -> pb.Ack:
        if self._call is None:
            self._call = self.stub.Report()
        self._sequence += 1
        await self._call.write(pb.Batch(owner=self.name, sequence=self._sequence, **parts))
        while True:
            push = await self.read()
            if push.WhichOneof("push") == "ack" and push.ack.sequence == self._sequence:
                return push.ack
            self.pushed.append(push)

    async def append(
        self, execution: str, *records: pb.Record, epoch: int = 1, close: pb.Closed | None = None
    ) -> list[pb.Refusal]:
        return await self.send(pb.Append(execution=execution, epoch=epoch, records=records, close=close))

    async def read(self) -> pb.Push:
        push: pb.Push = await asyncio.wait_for(self._call.read(), 10)
        assert push is not END, "the stream ended"
        return push

    def hang_up(self) -> None:
        """The stream breaks."""
        self._call.cancel()
        self._call = None

    async def say_goodbye(self) -> None:
        """The stream ends in order."""
        await self._call.done_writing()
        while await self._call.read() is not END:
            pass
        self._call = None


@asynccontextmanager
async def talking_to(target: str) -> AsyncIterator[IngestStub]:
    async with grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
        yield IngestStub(channel)  # type: ignore[no-untyped-call]  # generated
