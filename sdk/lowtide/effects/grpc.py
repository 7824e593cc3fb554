"""``call: grpc`` (dsl-reference.md, "gRPC Call").

Messages are protobuf's canonical JSON: camelCase members (the proto's own names are read too), 64-bit integers as
text, bytes as base64; a result shows every member that has no presence, also where it holds its default. A stream of
results becomes an array. A method that takes a stream is sent one message for each item of ``arguments`` where that is
an array, or of ``arguments.messages`` (the standard's schema wants an object); else the one message.

TLS is spoken on port 443 (the default) and wherever the host is written ``https://…``; ``http://…`` never speaks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from lowtide.effects.auth import Authenticator
from lowtide.effects.grpc_address import Address, address_of
from lowtide.effects.proto import Compiled, Protos
from lowtide.effects.resource import Resources
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import StandardType, standard_error
from lowtide.telemetry.tracing import current
from lowtide.wire.traces import written

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.message import Message

__all__ = ["GrpcCall"]

_FAULTS: Final[dict[str, tuple[StandardType, int]]] = {
    "CANCELLED": ("communication", 499),
    "UNKNOWN": ("communication", 500),
    "INVALID_ARGUMENT": ("validation", 400),
    "DEADLINE_EXCEEDED": ("timeout", 408),
    "NOT_FOUND": ("communication", 404),
    "ALREADY_EXISTS": ("communication", 409),
    "PERMISSION_DENIED": ("authorization", 403),
    "RESOURCE_EXHAUSTED": ("communication", 429),
    "FAILED_PRECONDITION": ("communication", 400),
    "ABORTED": ("communication", 409),
    "OUT_OF_RANGE": ("validation", 400),
    "UNIMPLEMENTED": ("communication", 501),
    "INTERNAL": ("communication", 500),
    "UNAVAILABLE": ("communication", 503),
    "DATA_LOSS": ("communication", 500),
    "UNAUTHENTICATED": ("authentication", 401),
}
"""gRPC's codes as errors of the standard; the error's title is the code."""


class GrpcCall:
    """``limit`` bounds the bytes of all messages of one answer."""

    def __init__(
        self,
        resources: Resources,
        authenticator: Authenticator,
        *,
        allow_loopback: bool,
        timeout: float,
        limit: int,
    ) -> None:
        self._protos = Protos(resources)
        self._authenticator = authenticator
        self._allow_loopback = allow_loopback
        self._timeout = timeout
        self._limit = limit

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """The result as JSON: one message, or an array of them where the method streams its results."""
        _check_installed()
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        ends = asyncio.get_running_loop().time() + seconds
        arguments, service = command.arguments, command.arguments.get("service") or {}
        compiled = await self._protos.compiled(arguments.get("proto"))
        method = _method(compiled, service.get("name"), arguments.get("method"))
        requests = _requests(compiled, method, arguments.get("arguments"))
        metadata = [("idempotency-key", quote(idempotency_key, safe="/@:.-_~!#"))]
        metadata.extend(written(current()).items())
        header = await self._authenticator.header(service.get("authentication"))
        if header is not None:
            metadata.append(("authorization", header))
        address = await address_of(service.get("host"), service.get("port"), allow_loopback=self._allow_loopback)
        async with self._channel(address) as channel:
            with _faults(address, method, seconds):
                left = max(ends - asyncio.get_running_loop().time(), 0.001)
                results = await self._call(channel, method, requests, metadata, left)
        shown = [_shown(compiled, result) for result in results]
        return shown if method.server_streaming else shown[0]

    async def _call(
        self, channel: Any, method: MethodDescriptor, requests: list[Message], metadata: Any, seconds: float
    ) -> list[Message]:
        from google.protobuf.message_factory import GetMessageClass

        kinds = "stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary"
        callable_ = getattr(channel, "_".join(kinds))(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        given = iter(requests) if method.client_streaming else requests[0]
        call = callable_(given, metadata=metadata, timeout=seconds)
        if not method.server_streaming:
            return [await call]
        results: list[Message] = []
        size = 0
        async for result in call:
            size += result.ByteSize()
            if size > self._limit:
                detail = f"the results of {method.full_name} are larger than {self._limit} bytes"
                raise TaskFailed(standard_error("communication", detail))
            results.append(result)
        return results

    @contextlib.asynccontextmanager
    async def _channel(self, address: Address) -> AsyncIterator[Any]:
        import grpc.aio

        options = [
            ("grpc.default_authority", address.authority),
            ("grpc.max_receive_message_length", self._limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0),  # the address was checked: nobody else is asked
        ]
        if address.tls:
            options.append(("grpc.ssl_target_name_override", address.host))
            credentials = grpc.ssl_channel_credentials(root_certificates=await asyncio.to_thread(_trusted))
            channel = grpc.aio.secure_channel(address.target, credentials, options=options)
        else:
            channel = grpc.aio.insecure_channel(address.target, options=options)
        try:
            yield channel
        finally:
            await channel.close(None)


def _check_installed() -> None:
    try:
        for name in ("google.protobuf", "grpc.aio"):
            import_module(name)
    except ImportError as error:
        detail = f"calling gRPC needs grpcio and protobuf: pip install 'lowtide[grpc]' ({error})"
        raise TaskFailed(standard_error("configuration", detail)) from error


def _method(compiled: Compiled, service: JSON, name: JSON) -> MethodDescriptor:
    fitting = [one for one in compiled.services if one == service or one.rpartition(".")[2] == service]
    if service not in fitting and len(fitting) != 1:
        known = ", ".join(compiled.services) or "none"
        detail = f"`with.service.name` is {service!r}; the proto's services are {known}"
        raise TaskFailed(standard_error("configuration", detail))
    found = compiled.pool.FindServiceByName(service if service in fitting else fitting[0])
    method = found.methods_by_name.get(str(name))
    if method is None:
        known = ", ".join(found.methods_by_name) or "none"
        detail = f"`with.method` is {name!r}; the methods of {found.full_name} are {known}"
        raise TaskFailed(standard_error("configuration", detail))
    return method


def _requests(compiled: Compiled, method: MethodDescriptor, arguments: JSON) -> list[Message]:
    given = {} if arguments is None else arguments
    if not method.client_streaming:
        return [_message(compiled, method.input_type, given)]
    if isinstance(given, dict) and given.keys() == {"messages"} and "messages" not in method.input_type.fields_by_name:
        given = given["messages"]
    return [_message(compiled, method.input_type, one) for one in (given if isinstance(given, list) else [given])]


def _message(compiled: Compiled, kind: Descriptor, value: JSON) -> Message:
    from google.protobuf.json_format import ParseDict, ParseError
    from google.protobuf.message_factory import GetMessageClass

    try:
        return ParseDict(value, GetMessageClass(kind)(), descriptor_pool=compiled.pool)
    except (ParseError, TypeError, ValueError, AttributeError) as error:
        detail = f"`with.arguments` is no {kind.full_name}: {error}"
        raise TaskFailed(standard_error("validation", detail)) from error


def _shown(compiled: Compiled, message: Message) -> JSON:
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message, always_print_fields_with_no_presence=True, descriptor_pool=compiled.pool)


@contextlib.contextmanager
def _faults(address: Address, method: MethodDescriptor, seconds: float) -> Iterator[None]:
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        fault: Any = error
        code = fault.code().name
        kind, status = _FAULTS.get(code, ("communication", 500))
        said = f"no answer within {seconds:g} s" if code == "DEADLINE_EXCEEDED" else fault.details() or "no details"
        detail = f"{method.full_name} at {address.authority} failed: {code}: {said}"
        raise TaskFailed(standard_error(kind, detail, status=status, title=code)) from error


def _trusted() -> bytes | None:
    """The authorities that Python trusts where a file names them (``SSL_CERT_FILE``), else gRPC's own list."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file else None
