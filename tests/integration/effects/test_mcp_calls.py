"""``call: mcp`` against servers written with the official Python SDK, over real sockets and real pipes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.effecting import fault, output
from tests.peers import Peer, Request, peer

pytestmark = pytest.mark.anyio

_SERVER = Path(__file__).with_name("mcp_server.py")


@pytest.fixture(scope="module", params=["events", "JSON"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that answers by streams of events, and one that answers by JSON."""
    from tests.integration.effects.mcp_server import make  # a second of imports, in each process that collects tests

    app = make().streamable_http_app(json_response=request.param == "JSON")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join(5)


def over(transport: str, method: str, parameters: str = "", **other: str) -> str:
    more = "".join(f"\n                {name}: {value}" for name, value in other.items())
    given = f"\n                parameters: {parameters}" if parameters else ""
    return f"""
        do:
          - ask:
              call: mcp
              with:
                method: {method}
                transport: {transport}{given}{more}
        """


def http(url: str, method: str, parameters: str = "", **other: str) -> str:
    return over(f"{{http: {{endpoint: '{url}'}}}}", method, parameters, **other)


# ---------------------------------------------------------------- over HTTP


async def test_a_tool_is_called_with_evaluated_arguments(url: str) -> None:
    result = await output(http(url, "tools/call", "{name: add, arguments: {a: '${ .a }', b: 3}}"), {"a": 2})
    assert result["structuredContent"] == {"result": 5}
    assert result["content"][0]["text"] == "5"


async def test_what_a_server_reports_before_its_answer_is_passed_over(url: str) -> None:
    result = await output(http(url, "tools/call", "{name: report, _meta: {progressToken: 1}}"))
    assert result["content"][0]["text"] == "done"


async def test_tools_prompts_and_resources_are_listed(url: str) -> None:
    tools = await output(http(url, "tools/list"))
    assert [tool["name"] for tool in tools["tools"]] == ["add", "refuse", "report", "surroundings"]
    prompts = await output(http(url, "prompts/list"))
    assert [prompt["name"] for prompt in prompts["prompts"]] == ["greeting"]
    resources = await output(http(url, "resources/list"))
    assert [resource["uri"] for resource in resources["resources"]] == ["orders://open"]
    templates = await output(http(url, "resources/templates/list"))
    assert [template["uriTemplate"] for template in templates["resourceTemplates"]] == ["orders://{number}"]


async def test_a_prompt_is_got_and_a_resource_read(url: str) -> None:
    prompt = await output(http(url, "prompts/get", "{name: greeting, arguments: {name: Ada}}"))
    assert prompt["messages"][0]["content"]["text"] == "Greet Ada."
    resource = await output(http(url, "resources/read", "'${ {uri: .uri} }'"), {"uri": "orders://A-7"})
    assert resource["contents"][0]["text"] == "order A-7"


@pytest.mark.parametrize(
    ("method", "parameters", "says"),
    [
        ("tools/call", "{name: refuse}", "the desk is closed"),
        ("tools/call", "{name: nobody}", "nobody"),
        ("prompts/get", "{name: nobody}", "nobody"),
        ("resources/read", "{uri: 'nothing://here'}", "nothing://here"),
    ],
)
async def test_a_failure_is_a_runtime_error_with_the_server_s_words(
    url: str, method: str, parameters: str, says: str
) -> None:
    kind, status, detail = await fault(http(url, method, parameters))
    assert (kind, status) == ("runtime", 500)
    assert says in detail


# ---------------------------------------------------------------- what is sent, told by servers of the test's own


class Desk:
    """A server by hand: ``answers`` are by method; what is not there is answered by an empty result."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __call__(self, request: Request) -> tuple[int, Any]:
        message = request.json if request.body else {}
        if "id" not in message:
            return 202, b""
        result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "desk", "version": "1"}}
        answer = {"result": result} if message["method"] == "initialize" else {"result": {}}
        return 200, {"jsonrpc": "2.0", "id": message["id"], **self.answers.get(message["method"], answer)}


def said(site: Peer) -> list[str]:
    return [request.json["method"] for request in site.requests if request.body]


async def test_a_session_begins_by_the_handshake_and_tells_who_calls() -> None:
    with peer(Desk()) as site:
        await output(
            http(
                f"{site.url}/mcp",
                "tools/list",
                protocolVersion="'2025-03-26'",
                client="{name: order-desk, version: 2.1.0}",
            )
        )
    assert said(site) == ["initialize", "notifications/initialized", "tools/list"]
    assert site.requests[0].json["params"] == {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "order-desk", "version": "2.1.0"},
    }
    assert "mcp-protocol-version" not in site.requests[0].headers
    assert site.requests[2].headers["mcp-protocol-version"] == "2025-06-18", "what the server agreed to"
    assert site.requests[2].headers["accept"] == "application/json, text/event-stream"


async def test_headers_and_authentication_are_sent_with_every_message() -> None:
    with peer(Desk()) as site:
        transport = (
            f"{{http: {{endpoint: {{uri: '{site.url}/mcp', authentication: {{bearer: {{token: abc}}}}}}, "
            "headers: {X-Tenant: '${ .tenant }'}}}"
        )
        await output(over(transport, "tools/list"), {"tenant": "north"})
    assert {request.headers["authorization"] for request in site.requests} == {"Bearer abc"}
    assert {request.headers["x-tenant"] for request in site.requests} == {"north"}


async def test_the_server_s_version_must_be_one_that_is_spoken() -> None:
    result = {"protocolVersion": "1999-01-01", "capabilities": {}}
    with peer(Desk(initialize={"result": result})) as site:
        kind, status, detail = await fault(http(f"{site.url}/mcp", "tools/list"))
    assert (kind, status) == ("runtime", 500)
    assert "1999-01-01" in detail
    assert said(site) == ["initialize"]


@pytest.mark.parametrize(
    ("answered", "kind", "status"),
    [
        (401, "authentication", 401),
        (403, "authorization", 403),
        (404, "communication", 404),
        (503, "communication", 503),
    ],
)
async def test_a_refusal_by_http_is_the_error_of_its_status(answered: int, kind: str, status: int) -> None:
    with peer(lambda request: (answered, {"message": "no"})) as site:
        assert (await fault(http(f"{site.url}/mcp", "tools/list")))[:2] == (kind, status)


async def test_an_answer_that_is_no_message_is_a_communication_error() -> None:
    with peer(lambda request: (200, b"hello")) as site:
        assert (await fault(http(f"{site.url}/mcp", "tools/list")))[:2] == ("communication", 500)
    assert (await fault(http("http://127.0.0.1:1/mcp", "tools/list")))[:2] == ("communication", 500)


async def test_a_call_that_takes_longer_than_its_own_timeout_fails_with_timeout() -> None:
    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(1.0)
        return 200, {}

    with peer(slow) as site:
        found = await fault(http(f"{site.url}/mcp", "tools/list", timeout="{milliseconds: 200}"))
    assert found[:2] == ("timeout", 408)


async def test_its_own_timeout_may_be_longer_than_what_calls_have_by_themselves() -> None:
    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.3)
        return Desk()(request)

    with peer(slow) as site:
        assert await output(http(f"{site.url}/mcp", "tools/list", timeout="PT10S"), http_timeout=0.2) == {}


async def test_loopback_is_refused_where_it_is_not_allowed() -> None:
    with peer(Desk()) as site:
        assert (await fault(http(f"{site.url}/mcp", "tools/list"), allow_loopback=False))[:2] == ("authorization", 403)
    assert not site.requests


# ---------------------------------------------------------------- over stdio


def stdio(command: list[str], method: str, parameters: str = "", environment: str = "{}", **other: str) -> str:
    return over(
        f"{{stdio: {{command: '{command[0]}', arguments: {command[1:]}, environment: {environment}}}}}",
        method,
        parameters,
        **other,
    )


async def test_a_program_is_asked_over_its_stdin_and_stdout() -> None:
    command = [sys.executable, str(_SERVER), "--desk"]
    document = stdio(command, "tools/call", "{name: surroundings}", environment="{WHO: '${ .who }'}")
    result = await output(document, {"who": "Ada"}, allow_shell=True)
    found = result["structuredContent"]
    assert found["arguments"] == ["--desk"]
    named = found["environment"]
    assert named["WHO"] == "Ada"
    assert named.keys() - {"WHO", "PATH", "PWD", "LC_CTYPE"} == set(), "nothing of ours is handed on"


async def test_programs_are_off_until_the_operator_allows_shells() -> None:
    kind, status, detail = await fault(stdio([sys.executable, "-c", ""], "tools/list"))
    assert (kind, status) == ("authorization", 403)
    assert "LOWTIDE_ALLOW_SHELL" in detail


@pytest.mark.parametrize(
    ("program", "kind", "status", "says"),
    [
        ("echo no licence >&2; exit 4", "runtime", 500, "exit code 4 before it answered: no licence"),
        ("nobody-has-this-program", "runtime", 500, "exit code 127"),
        ("echo hello; sleep 30", "communication", 500, "no message"),
        ("sleep 30", "timeout", 408, "not answered within 0.3 s"),
    ],
)
async def test_a_program_that_does_not_speak_mcp_is_an_error(program: str, kind: str, status: int, says: str) -> None:
    timeout = "{milliseconds: 300}" if kind == "timeout" else "{seconds: 10}"
    found = await fault(stdio(["sh", "-c", program], "tools/list", timeout=timeout), allow_shell=True)
    assert found[:2] == (kind, status)
    assert says in found[2]
