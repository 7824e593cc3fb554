"""``call: mcp`` (dsl-reference.md, "MCP Call"): one session for each call, begun by the ``initialize`` handshake.

The output is the JSON-RPC result. A JSON-RPC error, and a tool's result that says ``isError``, are ``runtime`` errors;
faults of the connection are what they are for every call: ``communication``, ``timeout``, ``authentication`` …

The client is our own, some two hundred lines in all: the official SDK takes seconds to import, and would bring an HTTP
client of its own, around the guard on addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Protocol
from urllib.parse import quote

from lowtide.effects import jsonrpc
from lowtide.effects.auth import Authenticator
from lowtide.effects.mcp_http import HttpSession
from lowtide.effects.mcp_stdio import StdioSession
from lowtide.effects.process import check_allowed
from lowtide.effects.web import Web
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.duration import to_millis
from lowtide.model.error import standard_error

__all__ = ["McpCall", "Session"]

_DEFAULT_VERSION: Final = "2025-06-18"
_VERSIONS: Final = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
"""Those whose sessions begin by ``initialize``: a server may answer with another one than it was asked for."""
_PARTING: Final = 3.0  # seconds for the end of a session that went well


class Session(Protocol):
    """A connection to one server, over one of the transports."""

    async def open(self) -> None: ...

    async def ask(self, message: dict[str, JSON], headers: dict[str, str]) -> dict[str, JSON]:
        """Send a request, and wait for its answer. ``headers`` are for HTTP."""
        ...

    async def tell(self, message: dict[str, JSON]) -> None:
        """Send a notification."""
        ...

    def agreed(self, protocol_version: str) -> None:
        """From now on this version is spoken."""
        ...

    async def close(self, patience: float) -> None:
        """End it: within ``patience`` seconds as the protocol asks, then at once."""
        ...


class McpCall:
    """``allow_shell`` lets the stdio transport start programs; ``memory`` is theirs, in bytes each."""

    def __init__(
        self, web: Web, authenticator: Authenticator, *, timeout: float, allow_shell: bool, memory: int
    ) -> None:
        self._web = web
        self._authenticator = authenticator
        self._timeout = timeout
        self._allow_shell = allow_shell
        self._memory = memory

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        arguments = command.arguments
        seconds = self._seconds(command)
        session = self._session(arguments.get("transport") or {}, seconds)
        headers = {"Idempotency-Key": quote(idempotency_key, safe="/@:.-_~!#")}
        patience = 0.0
        try:
            async with asyncio.timeout(seconds):
                await session.open()
                await _shake_hands(session, arguments)
                answer = await session.ask(_request(arguments), headers)
            patience = _PARTING
            return _result(arguments, answer)
        except TimeoutError as error:
            detail = f"{arguments.get('method')} was not answered within {seconds:g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        finally:
            await _part(session, patience)

    def _seconds(self, command: Perform) -> float:
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        own = command.arguments.get("timeout")
        if own is None:
            return seconds
        try:
            millis = to_millis(own)
        except ValueError as error:
            raise TaskFailed(standard_error("configuration", f"`with.timeout` is no duration: {error}")) from error
        return min(seconds, millis / 1000)

    def _session(self, transport: JSON, seconds: float) -> Session:
        if transport.get("stdio") is not None:
            check_allowed(self._allow_shell, "MCP over stdio, which starts a program,", "LOWTIDE_ALLOW_SHELL")
            return StdioSession(transport["stdio"], memory=self._memory, limit=self._web.limit)
        if transport.get("http") is not None:
            return HttpSession(self._web, self._authenticator, transport["http"], seconds)
        raise TaskFailed(standard_error("configuration", "`with.transport` must give http or stdio"))


async def _shake_hands(session: Session, arguments: JSON) -> None:
    asked = arguments.get("protocolVersion") or _DEFAULT_VERSION
    client = arguments.get("client") or {"name": "lowtide", "version": _own_version()}
    params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": client}
    answer = jsonrpc.result(await session.ask(jsonrpc.call(1, "initialize", params), {}), "initialize")
    agreed = answer.get("protocolVersion") if isinstance(answer, dict) else None
    if agreed not in {asked, *_VERSIONS}:
        detail = f"initialize failed: MCP {asked} was asked for, and the server speaks {agreed!r}"
        raise TaskFailed(standard_error("runtime", detail))
    session.agreed(agreed)
    await session.tell(jsonrpc.note("notifications/initialized"))


def _request(arguments: JSON) -> dict[str, JSON]:
    params = arguments.get("parameters")
    if params is not None and not isinstance(params, dict):
        detail = f"`with.parameters` must be an object, it is {type(params).__name__}"
        raise TaskFailed(standard_error("configuration", detail))
    return jsonrpc.call(2, str(arguments.get("method")), params)


def _result(arguments: JSON, answer: dict[str, JSON]) -> JSON:
    name = (arguments.get("parameters") or {}).get("name")
    what = f"{arguments.get('method')} {name}" if name else str(arguments.get("method"))
    result = jsonrpc.result(answer, what)
    if isinstance(result, dict) and result.get("isError"):
        raise TaskFailed(standard_error("runtime", f"{what} failed: {_said(result)}"))
    return result


async def _part(session: Session, patience: float) -> None:
    """However it went, the session is ended; the result does not depend on it."""
    with contextlib.suppress(TaskFailed):
        await session.close(patience)


def _said(answer: dict[str, JSON]) -> str:
    parts = answer.get("content") or []
    texts = [str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(texts)[:2000] or "it gave no reason"


def _own_version() -> str:
    try:
        return version("lowtide")
    except PackageNotFoundError:
        return "0"
