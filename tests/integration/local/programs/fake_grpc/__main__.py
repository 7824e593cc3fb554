"""A gRPC server of a few lines: ``/fake.Echo/Say`` answers its process id, ``/fake.Echo/Talk`` echoes a stream."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc


async def say(_request: bytes, _context: Any) -> bytes:
    return str(os.getpid()).encode()


async def talk(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def main() -> None:
    server = grpc.aio.server()
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(say),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("fake.Echo", handlers),))
    server.add_insecure_port(f"{os.environ['LOWTIDE_HOST']}:{os.environ['PORT']}")
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(5)


if __name__ == "__main__":
    asyncio.run(main())
