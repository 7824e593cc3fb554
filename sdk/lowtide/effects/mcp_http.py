"""MCP's streamable HTTP transport: every message is a POST; its answer is JSON or a stream of events."""

from __future__ import annotations

import msgspec

from lowtide.effects import jsonrpc
from lowtide.effects.auth import Authenticator
from lowtide.effects.mcp_requests import answer_to
from lowtide.effects.web import Web, http_url
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["HttpSession"]


class HttpSession:
    """``transport`` is evaluated: ``{endpoint, headers}``. ``seconds`` bounds each message."""

    def __init__(self, web: Web, authenticator: Authenticator, transport: JSON, seconds: float) -> None:
        endpoint: JSON = transport.get("endpoint")
        policy: JSON = None
        if isinstance(endpoint, dict):
            endpoint, policy = endpoint.get("uri"), endpoint.get("authentication")
        self._url = http_url(endpoint, "`with.transport.http.endpoint`")
        self._web = web
        self._authenticator = authenticator
        self._credentials = authenticator.credentials(policy)
        given = {name: str(value) for name, value in (transport.get("headers") or {}).items()}
        self._headers = {**given, **jsonrpc.HEADERS}
        self._seconds = seconds
        self._session = False

    async def open(self) -> None:
        return None

    async def ask(self, message: dict[str, JSON], headers: dict[str, str]) -> dict[str, JSON]:
        what = f"{message['method']} at {self._url.with_query(None)}"
        found: dict[str, JSON] | None = None
        async with self._authenticator.request(
            "POST",
            self._url,
            credentials=self._credentials,
            seconds=self._seconds,
            headers={**headers, **self._headers},
            body=msgspec.json.encode(message),
        ) as response:
            if message["method"] == "initialize" and "Mcp-Session-Id" in response.headers:
                self._headers["Mcp-Session-Id"] = response.headers["Mcp-Session-Id"]
                self._session = True
            async for received in jsonrpc.messages(response, self._web, what):
                if "method" in received:
                    await self._answer(answer_to(received))
                elif received.get("id") in {message["id"], None}:
                    found = received
                    break
        if found is None:
            detail = f"{what} was answered {response.status}, and the answer ended before there was a result"
            raise TaskFailed(standard_error("communication", detail))
        return found

    async def tell(self, message: dict[str, JSON]) -> None:
        async with self._authenticator.request(
            "POST",
            self._url,
            credentials=self._credentials,
            seconds=self._seconds,
            headers=self._headers,
            body=msgspec.json.encode(message),
        ) as response:
            what = f"{message.get('method', 'an answer')} at {self._url.with_query(None)}"
            async for _ in jsonrpc.messages(response, self._web, what):
                pass

    def agreed(self, protocol_version: str) -> None:
        self._headers["MCP-Protocol-Version"] = protocol_version

    async def close(self, patience: float) -> None:
        if not self._session or not patience:
            return  # a server forgets by itself
        async with self._authenticator.request(
            "DELETE", self._url, credentials=self._credentials, seconds=patience, headers=self._headers
        ):
            return  # it may refuse

    async def _answer(self, answer: dict[str, JSON] | None) -> None:
        if answer is not None:
            await self.tell(answer)
