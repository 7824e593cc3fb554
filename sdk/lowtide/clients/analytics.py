"""The analytics API: executions, timelines, logs, series. It may lag behind control by a moment.

Answers are the API's JSON as it is; errors as in :mod:`lowtide.clients.orchestrate`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final, Literal

from lowtide.clients.http import HttpClient, path_of
from lowtide.errors import LowtideError
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["Analytics"]

_AGAIN: Final = 1.0
_MOST_FAILURES: Final = 30
"""Attempts in a row, a second apart, to reach a server that is away while it is listened to."""


class Analytics(HttpClient):
    """``async with Analytics(server + "/analytics") as api``: on a laptop the gateway has it under that prefix."""

    async def executions(
        self,
        namespace: str,
        *,
        workflow: str | None = None,
        phase: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> dict[str, JSON]:
        """One page, newest first: ``{items, next}``."""
        query = {"workflow": workflow, "phase": phase, "parent": parent, "limit": limit, "cursor": cursor}
        return await self._get(namespace, "executions", query=query)

    async def execution(self, namespace: str, execution: str) -> dict[str, JSON]:
        """One execution and what its invocations cost together (``usage``)."""
        return await self._get(namespace, "executions", execution)

    async def timeline(
        self, namespace: str, execution: str, *, limit: int | None = None, cursor: str | None = None
    ) -> dict[str, JSON]:
        """``items``: the tasks of one execution in the order in which they began; ``invocations`` and ``children``."""
        query = {"limit": limit, "cursor": cursor}
        return await self._get(namespace, "executions", execution, "timeline", query=query)

    async def graph(self, namespace: str, execution: str, form: str = "json") -> JSON:
        """What one execution went through: nodes and edges, or text where ``form`` is mermaid or dot."""
        path = path_of("v1", "namespaces", namespace, "executions", execution, "graph")
        return (await self.request("GET", path, query={"format": form})).body

    async def compare(
        self, namespace: str, execution: str, other: str, *, prices: str | None = None
    ) -> dict[str, JSON]:
        """What differs between two executions."""
        return await self._get(namespace, "executions", execution, "compare", other, query={"prices": prices})

    async def found_logs(self, namespace: str, query: Mapping[str, str | int | None]) -> dict[str, JSON]:
        """One page of log lines by execution, task, level, text and time."""
        return await self._get(namespace, "logs", query=query)

    async def follow_logs(
        self, namespace: str, query: Mapping[str, str | int | None], after: str | None = None
    ) -> AsyncIterator[tuple[dict[str, JSON], str]]:
        """Log lines as they come, each with the id to go on after; over as many connections as it takes.

        Raises what the server says of the question, and :class:`lowtide.errors.Unavailable` where it stays away.
        """
        failures = 0
        while True:
            try:
                path = path_of("v1", "namespaces", namespace, "logs", "stream")
                async for line, seen in self.events(path, query=query, after=after):
                    failures, after = 0, seen
                    yield line, seen
            except LowtideError as error:
                failures += 1
                if not error.retryable or failures > _MOST_FAILURES:
                    raise
            await asyncio.sleep(_AGAIN)

    async def logs(self, namespace: str, execution: str, *, cursor: str | None = None) -> dict[str, JSON]:
        """One page of the execution's log lines, oldest first."""
        return await self._get(namespace, "executions", execution, "logs", query={"cursor": cursor})

    async def series(
        self, namespace: str, *, workflow: str | None = None, since: str | None = None, until: str | None = None
    ) -> dict[str, JSON]:
        """Counts and duration percentiles per workflow per minute, between two ISO 8601 moments."""
        return await self._get(namespace, "series", query={"workflow": workflow, "from": since, "to": until})

    async def top(
        self,
        namespace: str,
        what: Literal["workflows", "tasks"],
        *,
        by: str = "slowest",
        workflow: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        prices: str | None = None,
    ) -> dict[str, JSON]:
        """The workflows or tasks that are slowest, dearest or fail most between two moments, the first ones first."""
        query = {"by": by, "workflow": workflow, "from": since, "to": until, "limit": limit, "prices": prices}
        return await self._get(namespace, "top", what, query=query)

    async def errors(
        self,
        namespace: str,
        *,
        workflow: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> dict[str, JSON]:
        """Groups of errors between two moments, the most frequent first."""
        query = {"workflow": workflow, "from": since, "to": until, "limit": limit}
        return await self._get(namespace, "errors", query=query)

    async def cost(
        self,
        namespace: str,
        *,
        by: str = "workflow",
        workflow: str | None = None,
        since: str | None = None,
        until: str | None = None,
        prices: str | None = None,
        share: int | None = None,
    ) -> dict[str, JSON]:
        """What was paid between two ISO 8601 moments, and what always on would have cost."""
        query = {"by": by, "workflow": workflow, "from": since, "to": until, "prices": prices, "share": share}
        return await self._get(namespace, "cost", query=query)

    async def cost_of(self, namespace: str, execution: str, *, prices: str | None = None) -> dict[str, JSON]:
        """What one execution and each of its tasks cost."""
        return await self._get(namespace, "executions", execution, "cost", query={"prices": prices})

    async def report(
        self,
        namespace: str | None,
        *,
        operator_token: str | None = None,
        by: str = "workflow",
        workflow: str | None = None,
        since: str | None = None,
        until: str | None = None,
        prices: str | None = None,
        form: str = "json",
    ) -> JSON:
        """Usage and cost by day, as JSON or as text (``csv``, ``markdown``). ``None``: of all namespaces, which takes
        the operator's token."""
        query = {"by": by, "workflow": workflow, "from": since, "to": until, "prices": prices, "format": form}
        path = path_of("v1", *(() if namespace is None else ("namespaces", namespace)), "reports", "daily")
        headers = {"authorization": f"Bearer {operator_token}"} if operator_token else {}
        return (await self.request("GET", path, query=query, headers=headers)).body

    async def sql(
        self, namespace: str, query: str, *, limit: int = 1000, form: Literal["csv", "json"] = "json"
    ) -> tuple[JSON, bool]:
        """What one SELECT finds, as JSON (``columns``, ``rows``) or CSV, and whether rows are missing."""
        answer = await self.request(
            "POST",
            path_of("v1", "namespaces", namespace, "sql"),
            body=json.encode({"query": query, "limit": limit}),
            headers={"content-type": "application/json", "accept": "text/csv" if form == "csv" else "application/json"},
        )
        if isinstance(answer.body, dict):
            return answer.body, bool(answer.body.get("truncated"))
        return answer.body, answer.headers.get("lowtide-truncated") == "true"

    async def _get(
        self, namespace: str, *parts: str, query: Mapping[str, str | int | None] | None = None
    ) -> dict[str, JSON]:
        answer = await self.request("GET", path_of("v1", "namespaces", namespace, *parts), query=query)
        return answer.body if isinstance(answer.body, dict) else {}
