"""``call: a2a`` against agents written with the official Python SDK, over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.effecting import fault, output
from tests.peers import Request, peer

pytestmark = pytest.mark.anyio

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SAY = "{message: {parts: [{kind: text, text: '${ .say }'}]}}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with _agent("0.3", "1.0") as served:
        yield served


@pytest.fixture(scope="module")
def modern() -> Iterator[str]:
    """An agent that speaks A2A 1.0 alone."""
    with _agent("1.0") as served:
        yield served


def _agent(*versions: str) -> AbstractContextManager[str]:
    from tests.integration.effects.agents import agent  # imports that no other process which collects tests needs

    return agent(*versions)


def ask(whom: str, method: str, parameters: str = "") -> str:
    given = f"\n                parameters: {parameters}" if parameters else ""
    return f"""
        do:
          - ask:
              call: a2a
              with:
                method: {method}
                {whom}{given}
        """


def card(url: str) -> str:
    return f"agentCard: {{endpoint: '{url}/.well-known/agent-card.json'}}"


def server(url: str) -> str:
    return f"server: '{url}/rpc'"


@pytest.mark.parametrize("whom", [card, server])
async def test_a_message_is_answered_by_a_message(url: str, whom: Any) -> None:
    answer = await output(ask(whom(url), "message/send", SAY), {"say": "hello"})
    assert (answer["kind"], answer["role"]) == ("message", "agent")
    said = answer["parts"][0]["text"]
    assert said.startswith("hello ")
    assert _UUID.fullmatch(said.removeprefix("hello ")), "the message was given an id"


async def test_a_message_may_have_its_own_id(url: str) -> None:
    given = "{message: {messageId: mine, parts: [{kind: text, text: hello}]}}"
    assert (await output(ask(server(url), "message/send", given)))["parts"][0]["text"] == "hello mine"


async def test_a_message_may_begin_a_task_whose_result_is_the_output(url: str) -> None:
    task = await output(ask(card(url), "message/send", SAY), {"say": "report"})
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert [artifact["parts"][0]["text"] for artifact in task["artifacts"]] == ["the first part", "the second part"]


async def test_a_stream_becomes_the_array_of_its_results_in_order(url: str) -> None:
    events = await output(ask(card(url), "message/stream", SAY), {"say": "report"})
    assert [event["kind"] for event in events] == [
        "task",
        "status-update",
        "artifact-update",
        "artifact-update",
        "status-update",
    ]
    assert events[-1]["status"]["state"] == "completed"


async def test_tasks_are_got_cancelled_and_followed(url: str) -> None:
    begun = "{configuration: {blocking: false}, message: {parts: [{kind: text, text: wait}]}}"
    task = await output(ask(server(url), "message/send", begun))
    named = {"id": task["id"]}
    assert (await output(ask(server(url), "tasks/get", "'${ . }'"), named))["id"] == task["id"]
    gone = await output(ask(server(url), "tasks/cancel", "'${ . }'"), named)
    assert gone["status"]["state"] == "canceled"
    kind, status, detail = await fault(ask(server(url), "tasks/resubscribe", "'${ . }'"), named)
    assert (kind, status) == ("runtime", 500)
    assert "terminal state" in detail


async def test_a_task_is_followed_to_its_end(url: str) -> None:
    begun = "{configuration: {blocking: false}, message: {parts: [{kind: text, text: wait}]}}"
    named = {"id": (await output(ask(server(url), "message/send", begun)))["id"]}

    async def cancel() -> None:
        await asyncio.sleep(0.2)
        await output(ask(server(url), "tasks/cancel", "'${ . }'"), named)

    events, _ = await asyncio.gather(output(ask(server(url), "tasks/resubscribe", "'${ . }'"), named), cancel())
    assert events[-1]["status"]["state"] == "canceled"


async def test_push_notifications_are_configured(url: str) -> None:
    task = await output(ask(server(url), "message/send", SAY), {"say": "report"})
    config = "{taskId: '${ .id }', pushNotificationConfig: {id: mine, url: 'https://example.com/told'}}"
    kept = await output(ask(server(url), "tasks/pushNotificationConfig/set", config), task)
    assert kept["pushNotificationConfig"]["url"] == "https://example.com/told"
    named = "{id: '${ .id }', pushNotificationConfigId: mine}"
    got = await output(ask(server(url), "tasks/pushNotificationConfig/get", named), task)
    assert got["pushNotificationConfig"]["id"] == "mine"
    listed = await output(ask(server(url), "tasks/pushNotificationConfig/list", "{id: '${ .id }'}"), task)
    assert len(listed) == 1
    assert await output(ask(server(url), "tasks/pushNotificationConfig/delete", named), task) is None
    assert await output(ask(server(url), "tasks/pushNotificationConfig/list", "{id: '${ .id }'}"), task) == []


async def test_the_extended_card_is_got(url: str) -> None:
    assert (await output(ask(card(url), "agent/getAuthenticatedExtendedCard")))["name"] == "Reporter"


async def test_an_agent_that_speaks_only_1_0_is_called_by_the_names_of_1_0(modern: str) -> None:
    said = "{message: {parts: [{text: '${ .say }'}]}}"
    answer = await output(ask(card(modern), "message/send", said), {"say": "report"})
    assert answer["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    listed = await output(ask(card(modern), "tasks/list"))
    assert [task["id"] for task in listed["tasks"]] == [answer["task"]["id"]]
    events = await output(ask(card(modern), "message/stream", said), {"say": "report"})
    assert [next(iter(event)) for event in events][-1] == "statusUpdate"


@pytest.mark.parametrize(
    ("method", "parameters", "says"),
    [
        ("tasks/get", "{id: nobody}", "-32001"),
        ("tasks/list", "{pageSize: 1}", "-32601"),
        ("message/send", "{message: {parts: 7}}", "-32600"),
    ],
)
async def test_an_error_of_json_rpc_is_a_runtime_error(url: str, method: str, parameters: str, says: str) -> None:
    kind, status, detail = await fault(ask(server(url), method, parameters))
    assert (kind, status) == ("runtime", 500)
    assert says in detail


# ---------------------------------------------------------------- what is sent, told by servers of the test's own


def answering(request: Request) -> tuple[int, Any]:
    return 200, {"jsonrpc": "2.0", "id": request.json["id"] if request.body else 0, "result": {"kind": "message"}}


async def test_a_server_is_sent_the_authentication_of_its_endpoint() -> None:
    with peer(answering) as site:
        whom = f"server: {{uri: '{site.url}/rpc', authentication: {{basic: {{username: ada, password: secret}}}}}}"
        await output(ask(whom, "message/send", SAY), {"say": "hello"})
    [request] = site.requests
    assert request.headers["authorization"] == "Basic YWRhOnNlY3JldA=="
    message = request.json["params"]["message"]
    assert (message["role"], message["kind"]) == ("user", "message")
    assert _UUID.fullmatch(message["messageId"])


async def test_the_card_s_authentication_is_shown_to_an_agent_at_the_same_origin_alone() -> None:
    with peer(answering) as elsewhere, peer() as site:
        for url, sent in ((f"{site.url}/rpc", "Bearer abc"), ("/rpc", "Bearer abc"), (f"{elsewhere.url}/rpc", None)):
            site.answer = lambda request, url=url: (  # type: ignore[misc]
                (200, {"name": "x", "url": url, "protocolVersion": "0.3.0"})
                if request.method == "GET"
                else answering(request)
            )
            whom = f"agentCard: {{endpoint: {{uri: '{site.url}/card', authentication: {{bearer: {{token: abc}}}}}}}}"
            await output(ask(whom, "message/send", SAY), {"say": "hello"})
            posted = [one for one in (*site.requests, *elsewhere.requests) if one.method == "POST"][-1]
            assert posted.headers.get("authorization") == sent


async def test_a_card_may_be_a_file_and_must_offer_json_rpc(tmp_path: Path) -> None:
    card_file = tmp_path / "card.json"
    with peer(answering) as site:
        card_file.write_text(
            f'{{"url": "grpc://nowhere", "preferredTransport": "GRPC", '
            f'"additionalInterfaces": [{{"transport": "JSONRPC", "url": "{site.url}/rpc"}}]}}'
        )
        whom = "agentCard: {endpoint: 'file:card.json'}"
        assert await output(ask(whom, "tasks/get", "{id: a}"), base=tmp_path) == {"kind": "message"}
    card_file.write_text('{"url": "https://example.com", "preferredTransport": "GRPC"}')
    kind, status, detail = await fault(ask(whom, "tasks/get", "{id: a}"), base=tmp_path)
    assert (kind, status) == ("configuration", 400)
    assert "speaks GRPC" in detail
    card_file.write_text("hello")
    assert (await fault(ask(whom, "tasks/get", "{id: a}"), base=tmp_path))[:2] == ("communication", 500)


@pytest.mark.parametrize(
    ("answered", "kind", "status"),
    [(401, "authentication", 401), (429, "communication", 429), (502, "communication", 502)],
)
async def test_a_refusal_by_http_is_the_error_of_its_status(answered: int, kind: str, status: int) -> None:
    with peer(lambda request: (answered, {})) as site:
        assert (await fault(ask(server(site.url), "tasks/get", "{id: a}")))[:2] == (kind, status)


async def test_nobody_listening_is_a_communication_error_and_loopback_can_be_refused(url: str) -> None:
    assert (await fault(ask(server("http://127.0.0.1:1"), "tasks/get", "{id: a}")))[0] == "communication"
    refused = await fault(ask(card(url), "tasks/get", "{id: a}"), allow_loopback=False)
    assert refused[:2] == ("authorization", 403)
