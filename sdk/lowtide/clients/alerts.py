"""Alerts, on the analytics API: rules, what they found, acknowledgements, silences.

Answers are the API's JSON as it is; errors as in :mod:`lowtide.clients.orchestrate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lowtide.clients.http import HttpClient, path_of
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["Alerts"]

_JSON: Final = {"content-type": "application/json"}


class Alerts(HttpClient):
    """``async with Alerts(server + "/analytics") as api``: on a laptop the gateway has it under that prefix."""

    async def page(
        self,
        namespace: str,
        *,
        rule: str | None = None,
        states: Sequence[str] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> dict[str, JSON]:
        """Alerts, newest first: ``{items, next}``."""
        path = path_of("v1", "namespaces", namespace, "alerts")
        chosen = "&".join(f"state={state}" for state in states)
        query = {"rule": rule, "limit": limit, "cursor": cursor}
        return await self._ask("GET", path + (f"?{chosen}" if chosen else ""), query=query)

    async def alert(self, namespace: str, alert: str) -> dict[str, JSON]:
        """One alert, and what was told of it (``deliveries``)."""
        return await self._ask("GET", path_of("v1", "namespaces", namespace, "alerts", alert))

    async def acknowledge(self, namespace: str, alert: str, by: str, note: str = "") -> dict[str, JSON]:
        """Say that ``by`` looks after it; the alert as :meth:`alert` gives it."""
        path = path_of("v1", "namespaces", namespace, "alerts", alert, "acknowledge")
        return await self._ask("POST", path, body={"by": by, "note": note})

    async def rules(self, namespace: str, *, limit: int | None = None, cursor: str | None = None) -> dict[str, JSON]:
        """Rules by name: ``{items, next}``."""
        path = path_of("v1", "namespaces", namespace, "alerts", "rules")
        return await self._ask("GET", path, query={"limit": limit, "cursor": cursor})

    async def put_rule(self, namespace: str, name: str, rule: JSON) -> dict[str, JSON]:
        """Create or replace a rule; the same again changes nothing."""
        return await self._ask("PUT", path_of("v1", "namespaces", namespace, "alerts", "rules", name), body=rule)

    async def delete_rule(self, namespace: str, name: str) -> None:
        await self._ask("DELETE", path_of("v1", "namespaces", namespace, "alerts", "rules", name))

    async def test_rule(
        self, namespace: str, name: str, *, since: str | None = None, until: str | None = None
    ) -> dict[str, JSON]:
        """What a stored rule says now, or would have said between two ISO 8601 moments: ``{looks, items}``."""
        path = path_of("v1", "namespaces", namespace, "alerts", "rules", name, "test")
        return await self._ask("POST", path, body=_span(since, until))

    async def try_rule(
        self, namespace: str, rule: JSON, *, since: str | None = None, until: str | None = None
    ) -> dict[str, JSON]:
        """The same for a rule that is not stored."""
        path = path_of("v1", "namespaces", namespace, "alerts", "test")
        return await self._ask("POST", path, body={**_span(since, until), "rule": rule})

    async def silences(self, namespace: str, *, limit: int | None = None, cursor: str | None = None) -> dict[str, JSON]:
        """Those that are not over, the first to end first: ``{items, next}``."""
        path = path_of("v1", "namespaces", namespace, "alerts", "silences")
        return await self._ask("GET", path, query={"limit": limit, "cursor": cursor})

    async def silence(self, namespace: str, silence: JSON) -> dict[str, JSON]:
        """Begin one: ``until``, ``reason``, ``by``, and ``rule`` and ``group`` where not all are meant."""
        path = path_of("v1", "namespaces", namespace, "alerts", "silences")
        return await self._ask("POST", path, body=silence, again=False)

    async def end_silence(self, namespace: str, silence: str) -> None:
        await self._ask("DELETE", path_of("v1", "namespaces", namespace, "alerts", "silences", silence))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: JSON = None,
        again: bool = True,
    ) -> dict[str, JSON]:
        encoded = None if body is None else json.encode(body)
        headers = None if body is None else _JSON
        answer = await self.request(method, path, query=query, body=encoded, headers=headers, again=again)
        return answer.body if isinstance(answer.body, dict) else {}


def _span(since: str | None, until: str | None) -> dict[str, JSON]:
    return {name: value for name, value in {"from": since, "to": until}.items() if value is not None}
