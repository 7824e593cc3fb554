"""A gRPC service of somebody else's, for tests: a real grpcio server on a free port."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc

__all__ = ["PROTO", "Greeter", "greeter"]

PROTO = """
syntax = "proto3";
package tests.greeting;
import "google/protobuf/timestamp.proto";

/* import "not/there.proto"; stands in a comment */
enum Mood { CALM = 0; GLAD = 1; }

message Request { string user_name = 1; int64 count = 2; Mood mood = 3; google.protobuf.Timestamp at = 4; }
message Reply { string message = 1; int64 count = 2; bool polite = 3; Mood mood = 4; repeated string names = 5; }

service Greeter {
  rpc SayHello(Request) returns (Reply);
  rpc SayOften(Request) returns (stream Reply);
  rpc SayToAll(stream Request) returns (Reply);
  rpc Chat(stream Request) returns (stream Reply);
}
"""


@dataclass
class Greeter:
    """``fails`` is the code that every call ends with; ``metadata`` is what came with the calls."""

    port: int
    fails: grpc.StatusCode | None = None
    delay: float = 0.0
    metadata: list[dict[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def greeter(folder: Path, *, key: bytes | None = None, chain: bytes | None = None) -> Iterator[Greeter]:
    """Serve it, over TLS where a key and its certificates are given. ``folder`` then holds ``greet.proto``."""
    messages = _messages(folder)
    server = grpc.server(ThreadPoolExecutor(2))
    made = Greeter(0)
    server.add_generic_rpc_handlers((_handlers(made, messages),))
    if key is not None and chain is not None:
        made.port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        made.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield made
    finally:
        server.stop(None).wait()


def _messages(folder: Path) -> ModuleType:
    """The generated module; one for all servers, since a message's name is registered once in a process."""
    (folder / "greet.proto").write_text(PROTO)
    if "greet_pb2" not in sys.modules:
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}", "greet.proto"]
        subprocess.run(command, cwd=folder, check=True)
        spec = importlib.util.spec_from_file_location("greet_pb2", folder / "greet_pb2.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["greet_pb2"] = module
        spec.loader.exec_module(module)
    return sys.modules["greet_pb2"]


def _handlers(made: Greeter, messages: Any) -> Any:
    def begin(context: Any) -> None:
        made.metadata.append(dict(context.invocation_metadata()))
        time.sleep(made.delay)
        if made.fails is not None:
            context.abort(made.fails, f"it is {made.fails.name.lower()}")

    def say_hello(request: Any, context: Any) -> Any:
        begin(context)
        return messages.Reply(message=f"Hello {request.user_name}", count=request.count, mood=request.mood)

    def say_often(request: Any, context: Any) -> Any:
        begin(context)
        for number in range(request.count):
            yield messages.Reply(message=f"Hello {request.user_name}", count=number)

    def say_to_all(requests: Any, context: Any) -> Any:
        begin(context)
        return messages.Reply(message="Hello all", names=[request.user_name for request in requests])

    def chat(requests: Any, context: Any) -> Any:
        begin(context)
        for request in requests:
            yield messages.Reply(message=f"Hello {request.user_name}")

    coding = {
        "request_deserializer": messages.Request.FromString,
        "response_serializer": messages.Reply.SerializeToString,
    }
    return grpc.method_handlers_generic_handler(
        "tests.greeting.Greeter",
        {
            "SayHello": grpc.unary_unary_rpc_method_handler(say_hello, **coding),
            "SayOften": grpc.unary_stream_rpc_method_handler(say_often, **coding),
            "SayToAll": grpc.stream_unary_rpc_method_handler(say_to_all, **coding),
            "Chat": grpc.stream_stream_rpc_method_handler(chat, **coding),
        },
    )
