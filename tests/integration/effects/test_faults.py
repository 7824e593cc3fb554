"""What becomes which error: the table of the users' reference, each row of it made to happen."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
import trustme

import lowtide
from lowtide.model.error import STANDARD_BASE, Error
from lowtide.model.state import Faulted
from lowtide.runtime.steps import StepRegistry
from tests.effecting import perform
from tests.integration.effects.greeters import greeter
from tests.peers import Answer, peer

pytestmark = pytest.mark.anyio

_PAGE: Final = Path(__file__).parents[3] / "docs" / "dsl" / "errors.md"
_ROW: Final = re.compile(r"^\| (.+?) \| `(\w+)` \| (\d+) \|$", re.MULTILINE)

Fault = Callable[[Path], Awaitable[Error]]


async def error_of(task: str, input: Any = None, **allowed: Any) -> Error:
    outcome = await perform(f"do: [{{it: {task}}}]", input, **allowed)
    assert isinstance(outcome, Faulted), outcome
    return outcome.error


def get(url: str, more: str = "") -> str:
    return f"{{call: http, with: {{method: get, endpoint: '{url}'{more}}}}}"


def mcp(url: str) -> str:
    transport = f"{{http: {{endpoint: '{url}'}}}}"
    return f"{{call: mcp, with: {{method: tools/call, parameters: {{name: x}}, transport: {transport}}}}}"


def a2a(url: str) -> str:
    return f"{{call: a2a, with: {{method: tasks/get, parameters: {{id: x}}, server: '{url}'}}}}"


# ---------------------------------------------------------------- whom a call meets


def task(written: str, **allowed: Any) -> Fault:
    """A task that fails by itself."""
    return lambda folder: error_of(written, **allowed)


def answered(status: int, body: Any = None, headers: dict[str, str] | None = None, call: Any = get) -> Fault:
    """A service that gives everybody this answer."""

    async def fault(folder: Path) -> Error:
        answer: Answer = (status, {} if body is None else body, headers or {})
        with peer(lambda request: answer) as site:
            return await error_of(call(site.url))

    return fault


def session(result: dict[str, Any]) -> Fault:
    """An MCP server that shakes hands, and then says this."""

    async def fault(folder: Path) -> Error:
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}

        def answer(request: Any) -> Answer:
            if request.json["method"] == "initialize":
                return 200, {"jsonrpc": "2.0", "id": request.json["id"], "result": hello}
            if "id" not in request.json:
                return 202, b""
            return 200, {"jsonrpc": "2.0", "id": request.json["id"], **result}

        with peer(answer) as site:
            return await error_of(mcp(site.url))

    return fault


@contextlib.asynccontextmanager
async def speaking(words: bytes | None, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that says just these words and hangs up; ``None``: nothing, for as long as it is listened to."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            if words is None:
                await reader.read()
            else:
                writer.write(words)
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def untrusted(folder: Path) -> Error:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with speaking(b"", context) as url:
        return await error_of(get(url))


async def broken_off(folder: Path) -> Error:
    async with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") as url:
        return await error_of(get(url))


async def silent(folder: Path) -> Error:
    async with speaking(None) as url:
        return await error_of(get(url), http_timeout=0.3)


async def too_large(folder: Path) -> Error:
    with peer(lambda request: (200, "x" * 2_000)) as site:
        return await error_of(get(site.url), max_response_bytes=1_000)


async def no_token(folder: Path) -> Error:
    with peer(lambda request: (401, {"error": "invalid_client"})) as site:
        scheme = f"{{authority: '{site.url}', grant: client_credentials, client: {{id: me, secret: no}}}}"
        endpoint = f"{{uri: '{site.url}/orders', authentication: {{oauth2: {scheme}}}}}"
        return await error_of(f"{{call: http, with: {{method: get, endpoint: {endpoint}}}}}")


def coded(code: str) -> Fault:
    """A gRPC service that ends every call with this code."""

    async def fault(folder: Path) -> Error:
        with greeter(folder) as server:
            server.fails = grpc.StatusCode[code]
            proto = f"{{endpoint: 'file://{folder}/greet.proto'}}"
            service = f"{{name: tests.greeting.Greeter, host: 127.0.0.1, port: {server.port}}}"
            return await error_of(f"{{call: grpc, with: {{proto: {proto}, service: {service}, method: SayHello}}}}")

    return fault


@lowtide.step("halve")
async def halve(n: int) -> int:
    assert n % 2 == 0, f"{n} is odd"
    return n // 2


STEPS: Final = StepRegistry([halve])

REFUSAL: Final = {"error": {"code": -32601, "message": "no such method"}}
SILENT_TASK: Final = "{listen: {to: {one: {with: {type: never}}}}, timeout: {after: {milliseconds: 100}}}"

FAULTS: Final[dict[str, Fault]] = {
    "the host's name does not resolve": task(get("http://nobody.invalid")),
    "nobody listens there": task(get("http://127.0.0.1:1")),
    "the certificate is not trusted": untrusted,
    "the connection breaks off": broken_off,
    "no answer in time": silent,
    "the answer is larger than the limit": too_large,
    "the answer is 401": answered(401),
    "the answer is 403": answered(403),
    "the answer is 404": answered(404),
    "the answer is 408": answered(408),
    "the answer is 429": answered(429),
    "the answer is 500": answered(500),
    "the answer is 504": answered(504),
    "a redirect that is not followed": answered(302, headers={"Location": "/"}),
    "the endpoint is no HTTP URI": task(get("ftp://shop.example")),
    "a link-local address, a metadata service": task(get("http://169.254.169.254/latest")),
    "this machine, where the operator does not allow it": task(get("http://localhost:1"), allow_loopback=False),
    "the authorization server refuses the client": no_token,
    "MCP: the answer is a JSON-RPC error": session(REFUSAL),
    "MCP: the tool's result says `isError`": session({"result": {"isError": True, "content": []}}),
    "MCP: the answer is 401": answered(401, call=mcp),
    "MCP: the answer is 503": answered(503, call=mcp),
    "MCP: nobody listens there": task(mcp("http://127.0.0.1:1")),
    "A2A: the answer is a JSON-RPC error": answered(200, {"jsonrpc": "2.0", "id": 1, **REFUSAL}, call=a2a),
    "A2A: the answer is 403": answered(403, call=a2a),
    "A2A: the answer is 504": answered(504, call=a2a),
    "A2A: the answer is no JSON-RPC": answered(200, b"hello", call=a2a),
    **{f"gRPC: `{code.name}`": coded(code.name) for code in grpc.StatusCode if code is not grpc.StatusCode.OK},
    "a function that nobody knows": task("{call: nobody}"),
    "a process ends with another code than 0": task("{run: {shell: {command: exit 3}}}", allow_shell=True),
    "a process takes too long": task("{run: {shell: {command: sleep 9}}}", allow_shell=True, http_timeout=0.3),
    "a process that the operator does not allow": task("{run: {shell: {command: 'true'}}}"),
    "a step raises": task("{call: halve, with: {n: 1}}", step=STEPS.perform),
    "a step is given arguments that do not fit": task("{call: halve, with: {n: x}}", step=STEPS.perform),
    "a task or workflow takes longer than its `timeout`": task(SILENT_TASK),
    "an expression fails": task("{set: '${ error(\"no\") }'}"),
    "data does not fit its schema": task("{set: {n: 1}, output: {schema: {document: {type: array}}}}"),
    "another workflow that nobody knows": task("{run: {workflow: {namespace: tests, name: nobody}}}"),
}


def rows() -> dict[str, tuple[str, str]]:
    return {fault: (kind, status) for fault, kind, status in _ROW.findall(_PAGE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_becomes_the_error_of_the_table(name: str, tmp_path: Path) -> None:
    kind, status = rows()[name]
    error = await FAULTS[name](tmp_path)
    assert error.type == STANDARD_BASE + kind, error
    assert error.status == int(status), error
    assert error.instance == "/do/0/it"
    assert error.title
    assert error.detail


def test_the_table_and_the_faults_are_the_same() -> None:
    assert list(rows()) == list(FAULTS)
