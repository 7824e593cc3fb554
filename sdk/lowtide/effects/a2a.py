"""``call: a2a`` (dsl-reference.md, "A2A Call"): Agent2Agent over JSON-RPC.

The output is the JSON-RPC result; for ``message/stream`` and ``tasks/resubscribe`` the array of all results, in order.
A JSON-RPC error is a ``runtime`` error; faults of the connection are what they are for every call.

The methods have their names of A2A 0.3. An agent whose card says that it speaks 1.0 alone is called by 1.0's names, and
``parameters`` must then have 1.0's form.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import msgspec

from lowtide.effects import jsonrpc
from lowtide.effects.agent_card import Agent, agent_of
from lowtide.effects.auth import Authenticator
from lowtide.effects.resource import Resources
from lowtide.effects.web import Web, http_url
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

__all__ = ["A2ACall"]

_METHODS: Final = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/list": "ListTasks",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
"""The standard's methods, and what they are called since A2A 1.0."""
_STREAMS: Final = frozenset({"message/stream", "tasks/resubscribe"})
_MESSAGES: Final = frozenset({"message/send", "message/stream"})


class A2ACall:
    """``timeout`` in seconds bounds a call, and its stream whole, unless its task sets another."""

    def __init__(self, web: Web, authenticator: Authenticator, resources: Resources, *, timeout: float) -> None:
        self._web = web
        self._authenticator = authenticator
        self._resources = resources
        self._timeout = timeout

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        arguments, method = command.arguments, str(command.arguments.get("method"))
        if method not in _METHODS:
            raise TaskFailed(standard_error("configuration", f"`with.method` is {method!r}, which is no method of A2A"))
        agent = await self._agent(arguments)
        identifier = str(uuid5(NAMESPACE_URL, idempotency_key))  # the same when the call is repeated
        params = _parameters(method, arguments.get("parameters"), identifier, agent.modern)
        request = jsonrpc.call(identifier, _METHODS[method] if agent.modern else method, params)
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        headers = {
            **jsonrpc.HEADERS,
            "A2A-Version": "1.0" if agent.modern else "0.3",
            "Idempotency-Key": quote(idempotency_key, safe="/@:.-_~!#"),
        }
        what = f"{method} at {agent.url.with_query(None)}"
        async with self._authenticator.request(
            "POST",
            agent.url,
            credentials=self._authenticator.credentials(agent.authentication),
            seconds=seconds,
            headers=headers,
            body=msgspec.json.encode(request),
        ) as response:
            messages = jsonrpc.messages(response, self._web, what)
            results = [jsonrpc.result(message, what) async for message in messages]
        if method in _STREAMS:
            return results
        if not results:
            raise TaskFailed(standard_error("communication", f"{what} was answered by nothing"))
        return results[-1]

    async def _agent(self, arguments: JSON) -> Agent:
        card, server = arguments.get("agentCard"), arguments.get("server")
        if card is not None:
            return agent_of(await self._resources.fetch(card, "`with.agentCard`"))
        uri, policy = server, None
        if isinstance(server, dict):
            uri, policy = server.get("uri"), server.get("authentication")
        return Agent(http_url(uri, "`with.server`"), authentication=policy)


def _parameters(method: str, given: JSON, identifier: str, modern: bool) -> JSON:
    """What is sent: a message gets the members that the standard has runtimes fill in."""
    if given is not None and not isinstance(given, dict):
        detail = f"`with.parameters` must be an object, it is {type(given).__name__}"
        raise TaskFailed(standard_error("configuration", detail))
    if method not in _MESSAGES:
        return {} if given is None and modern else given
    message = None if given is None else given.get("message")
    if given is None or not isinstance(message, dict):
        raise TaskFailed(standard_error("configuration", f"{method} needs `with.parameters.message`"))
    defaults = {"messageId": identifier, "role": "ROLE_USER" if modern else "user"}
    if not modern:
        defaults["kind"] = "message"  # 0.3 tells messages and tasks apart by it
    return {**given, "message": {**defaults, **message}}
