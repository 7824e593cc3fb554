"""A stand-in for the gRPC service of the standard's example: it greets, and speaks of no generated code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

__all__ = ["greeter"]

_PROTO: Final = """
syntax = "proto3";
package GreeterApi;
service Greeter { rpc SayHello (HelloRequest) returns (HelloReply); }
message HelloRequest { string name = 1; }
message HelloReply { string message = 1; }
"""


@contextlib.contextmanager
def greeter(folder: Path, port: int) -> Iterator[None]:
    """Serves on ``port`` of this machine; the service's proto is ``app/greet.proto`` in the folder.

    Raises ``RuntimeError`` where the port is taken.
    """
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "greet.proto").write_text(_PROTO, encoding="utf-8")
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(_say_hello)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("GreeterApi.Greeter", {"SayHello": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def _say_hello(request: bytes, context: Any) -> bytes:
    """Both messages are one text, field 1: a tag, its length in one byte, its bytes."""
    name = request[2:] if request[:1] == b"\n" else b"nobody"
    message = b"Hello, " + name + b"!"
    return b"\n" + bytes([len(message)]) + message
