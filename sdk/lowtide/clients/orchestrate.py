"""orchestrate's HTTP API: workflows, executions, events.

Answers are the API's JSON as it is (camelCase members, times ISO 8601). Every method raises the tree of
:mod:`lowtide.errors`: what the server's problem document names, or ``Unavailable`` where nothing answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from lowtide.clients.http import Answer, HttpClient, path_of
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["Orchestrate"]

_JSON: Final = {"content-type": "application/json"}
_YAML: Final = {"content-type": "application/yaml"}
_CLOUDEVENT: Final = {"content-type": "application/cloudevents+json"}


class Orchestrate(HttpClient):
    """``async with Orchestrate("http://127.0.0.1:8080") as api``; see :class:`lowtide.clients.http.HttpClient`."""

    async def deploy(self, namespace: str, source: str) -> dict[str, JSON]:
        """Create a version of a workflow from its document (YAML or JSON): namespace, name, version, warnings."""
        path = path_of("v1", "namespaces", namespace, "workflows")
        return _object(await self.request("POST", path, body=source.encode(), headers=_media_of(source)))

    async def validate(self, source: str) -> dict[str, JSON]:
        """``{valid, problems: [{line, column, severity, message, mend}]}``"""
        return _object(await self.request("POST", "/v1/validate", body=source.encode(), headers=_media_of(source)))

    async def workflow(self, namespace: str, name: str) -> dict[str, JSON]:
        """The newest version: namespace, name, version, createdAt, source, definition."""
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "workflows", name)))

    async def workflows(
        self, namespace: str, *, limit: int | None = None, cursor: str | None = None
    ) -> dict[str, JSON]:
        """One page of the newest version of each workflow, by name: ``{items, next}``."""
        path = path_of("v1", "namespaces", namespace, "workflows")
        return _object(await self.request("GET", path, query={"limit": limit, "cursor": cursor}))

    async def pause(self, namespace: str, name: str | None, reason: str | None = None) -> dict[str, JSON]:
        """Let starts wait, of a workflow or (``None``) of all in the namespace: ``{paused, ramp, waiting}``."""
        body = json.encode({} if reason is None else {"reason": reason})
        path = _gate_of(namespace, name, "pause")
        return _object(await self.request("POST", path, body=body, headers=_JSON))

    async def resume_workflow(self, namespace: str, name: str | None, ramp: float | None = None) -> dict[str, JSON]:
        """Let what waits begin, at most ``ramp`` per second; the same answer as of :meth:`pause`."""
        body = json.encode({} if ramp is None else {"ramp": ramp})
        path = _gate_of(namespace, name, "resume")
        return _object(await self.request("POST", path, body=body, headers=_JSON))

    async def limits(self, namespace: str, name: str) -> dict[str, JSON]:
        """``{limits, by: document | operator, waiting}``"""
        return _object(await self.request("GET", _gate_of(namespace, name, "limits")))

    async def set_limits(self, namespace: str, name: str, limits: JSON) -> dict[str, JSON]:
        """Limits that replace the document's; the same answer as of :meth:`limits`."""
        path = _gate_of(namespace, name, "limits")
        return _object(await self.request("PUT", path, body=json.encode(limits), headers=_JSON))

    async def unset_limits(self, namespace: str, name: str) -> dict[str, JSON]:
        """Let the document's limits hold again."""
        return _object(await self.request("DELETE", _gate_of(namespace, name, "limits")))

    async def start(
        self,
        namespace: str,
        name: str,
        input: JSON = None,
        *,
        version: str | None = None,
        wait: float | None = None,
        key: str | None = None,
    ) -> dict[str, JSON]:
        """Start an execution; with ``wait`` (seconds) its outcome, if it ended in time.

        ``key`` is the ``Idempotency-Key``: the same key starts one execution, however often it is sent. Without it a
        start is never sent twice.
        """
        path = path_of("v1", "namespaces", namespace, "workflows", name, "executions")
        query = {"version": version, "wait": None if wait is None else f"{wait:g}s"}
        headers = _JSON if key is None else {**_JSON, "idempotency-key": key}
        body = json.encode(input)
        return _object(
            await self.request(
                "POST", path, query=query, body=body, headers=headers, again=key is not None, longer=wait or 0.0
            )
        )

    async def execution(self, namespace: str, execution: str) -> dict[str, JSON]:
        """id, workflow, version, phase, createdAt, startedAt, endedAt, input, output, error, waitingFor."""
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "executions", execution)))

    async def executions(
        self,
        namespace: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        **wanted: str | None,
    ) -> dict[str, JSON]:
        """One page, newest first: ``{items, next}``. ``wanted``: ``workflow``, ``version``, ``phase``, ``errorType``,
        ``createdAfter``, ``createdBefore``."""
        query: dict[str, str | int | None] = {**wanted, "limit": limit, "cursor": cursor}
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "executions"), query=query))

    async def all_executions(
        self, namespace: str, *, workflow: str | None = None, phase: str | None = None
    ) -> AsyncIterator[dict[str, JSON]]:
        """Every execution, page after page, newest first."""
        cursor: str | None = None
        while True:
            page = await self.executions(namespace, workflow=workflow, phase=phase, limit=100, cursor=cursor)
            for item in page["items"]:
                yield item
            cursor = page.get("next")
            if not cursor:
                return

    async def cancel(self, namespace: str, execution: str, reason: str | None = None) -> dict[str, JSON]:
        """Ask for a cancel; returns the execution as it is now (it ends a moment later)."""
        return await self._order(namespace, execution, "cancel", _said(reason=reason))

    async def suspend(self, namespace: str, execution: str, reason: str | None = None) -> dict[str, JSON]:
        """Suspend it; returns it as it is now: ``phase`` stays ``running`` until its invocation has parked."""
        return await self._order(namespace, execution, "suspend", _said(reason=reason))

    async def resume(self, namespace: str, execution: str) -> dict[str, JSON]:
        """Let a suspended execution go on; returns it as it is now."""
        return await self._order(namespace, execution, "resume", {})

    async def retry(self, namespace: str, execution: str, *, version: str | None = None) -> dict[str, JSON]:
        """Begin a new execution where this one faulted; returns the new one. ``version``: a name, or ``latest``."""
        return await self._order(namespace, execution, "retry", _said(version=version))

    async def restart(
        self, namespace: str, execution: str, *, version: str | None = None, key: str | None = None
    ) -> dict[str, JSON]:
        """Begin a new execution with the input of this one; returns the new one. ``key``: as in :meth:`start`."""
        return await self._order(
            namespace, execution, "restart", _said(version=version), key=key, again=key is not None
        )

    async def fork(
        self,
        namespace: str,
        execution: str,
        task: str,
        changes: dict[str, JSON],
        *,
        version: str | None = None,
        key: str | None = None,
    ) -> dict[str, JSON]:
        """Begin a new execution at a task of this one; returns the new one.

        ``changes`` may hold ``input``, ``taskInput`` and ``context``. ``key``: as in :meth:`start`.
        """
        said = {"task": task, **_said(version=version), **changes}
        return await self._order(namespace, execution, "fork", said, key=key, again=key is not None)

    async def _order(
        self,
        namespace: str,
        execution: str,
        verb: str,
        said: dict[str, JSON],
        *,
        key: str | None = None,
        again: bool = True,
    ) -> dict[str, JSON]:
        """Tell an execution something; the one that it is about now."""
        path = path_of("v1", "namespaces", namespace, "executions", execution, verb)
        headers = _JSON if key is None else {**_JSON, "idempotency-key": key}
        return _object(await self.request("POST", path, body=json.encode(said), headers=headers, again=again))

    async def delete(self, namespace: str, execution: str) -> None:
        """Delete an execution that has ended. Raises NotFound (also where it was deleted before), Conflict."""
        await self.request("DELETE", path_of("v1", "namespaces", namespace, "executions", execution))

    async def explanation(self, namespace: str, execution: str) -> dict[str, JSON]:
        """Why it is where it is: execution, phase, since, sentences, waits, arrived, dispatch."""
        path = path_of("v1", "namespaces", namespace, "executions", execution, "explanation")
        return _object(await self.request("GET", path))

    async def operate(self, namespace: str, request: dict[str, JSON], *, key: str | None = None) -> dict[str, JSON]:
        """Begin a bulk operation: ``{action, filter, rate, dryRun, …}``; with ``dryRun`` ``{action, matched}``."""
        path = path_of("v1", "namespaces", namespace, "operations")
        headers = _JSON if key is None else {**_JSON, "idempotency-key": key}
        again = key is not None
        return _object(await self.request("POST", path, body=json.encode(request), headers=headers, again=again))

    async def operations(
        self, namespace: str, *, limit: int | None = None, cursor: str | None = None
    ) -> dict[str, JSON]:
        """One page, newest first: ``{items, next}``."""
        path = path_of("v1", "namespaces", namespace, "operations")
        return _object(await self.request("GET", path, query={"limit": limit, "cursor": cursor}))

    async def operation(self, namespace: str, operation: str) -> dict[str, JSON]:
        """id, action, filter, rate, phase, matched, done, skipped, failed, problems, createdAt, endedAt."""
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "operations", operation)))

    async def stop_operation(self, namespace: str, operation: str) -> dict[str, JSON]:
        """Do nothing more of it; returns it as it is now."""
        path = path_of("v1", "namespaces", namespace, "operations", operation, "stop")
        return _object(await self.request("POST", path))

    async def dead_letters(
        self, namespace: str, *, limit: int | None = None, cursor: str | None = None, **wanted: str | None
    ) -> dict[str, JSON]:
        """One page, newest first: ``{items, next}``. ``wanted``: ``type``, ``verdict``, ``execution``, ``open``."""
        query: dict[str, str | int | None] = {**wanted, "limit": limit, "cursor": cursor}
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "deadletters"), query=query))

    async def dead_letter(self, namespace: str, letter: str) -> dict[str, JSON]:
        """One, with its event where that is kept."""
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "deadletters", letter)))

    async def redrive(self, namespace: str, letter: str) -> dict[str, JSON]:
        """Do again what it asks for; returns it with its new verdict."""
        path = path_of("v1", "namespaces", namespace, "deadletters", letter, "redrive")
        return _object(await self.request("POST", path))

    async def discard(self, namespace: str, letter: str) -> dict[str, JSON]:
        """Nobody need look at it any more."""
        path = path_of("v1", "namespaces", namespace, "deadletters", letter, "discard")
        return _object(await self.request("POST", path))

    async def tasks(
        self, namespace: str, *, limit: int | None = None, cursor: str | None = None, **wanted: str | None
    ) -> dict[str, JSON]:
        """One page of human tasks, newest first: ``{items, next}``. ``wanted``: ``status``, ``user``, ``group``,
        ``claimedBy``, ``workflow``, ``execution``."""
        query: dict[str, str | int | None] = {**wanted, "limit": limit, "cursor": cursor}
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "tasks"), query=query))

    async def task(self, namespace: str, task: str) -> dict[str, JSON]:
        """One, with its form, its data and its answer."""
        return _object(await self.request("GET", path_of("v1", "namespaces", namespace, "tasks", task)))

    async def claim(self, namespace: str, task: str, by: str) -> dict[str, JSON]:
        """Nobody else can complete it from now on."""
        return await self._do(namespace, task, "claim", {"by": by})

    async def release(self, namespace: str, task: str, by: str) -> dict[str, JSON]:
        """It is anybody's again to whom it is assigned."""
        return await self._do(namespace, task, "release", {"by": by})

    async def complete(self, namespace: str, task: str, by: str, data: JSON, *, key: str) -> dict[str, JSON]:
        """The workflow goes on with ``data``. With the same ``key`` it is completed once, however often it is asked.

        Raises :class:`lowtide.errors.InvalidAnswer`, ``Conflict``, ``Gone``.
        """
        return await self._do(namespace, task, "complete", {"by": by, "data": data}, key=key)

    async def _do(
        self, namespace: str, task: str, verb: str, said: dict[str, JSON], *, key: str | None = None
    ) -> dict[str, JSON]:
        path = path_of("v1", "namespaces", namespace, "tasks", task, verb)
        headers = _JSON if key is None else {**_JSON, "idempotency-key": key}
        return _object(await self.request("POST", path, body=json.encode(said), headers=headers))

    async def journal(self, namespace: str, execution: str) -> dict[str, JSON]:
        """All pages as one: ``{plan, seed, items: [{number, epoch, entry: {turn, event, key}}]}``."""
        path = path_of("v1", "namespaces", namespace, "executions", execution, "journal")
        whole = _object(await self.request("GET", path))
        cursor = whole.pop("next", None)
        while cursor:
            page = _object(await self.request("GET", path, query={"cursor": cursor}))
            whole["items"] += page["items"]
            cursor = page.get("next")
        return whole

    async def send(self, namespace: str, event: dict[str, JSON]) -> None:
        """Publish one CloudEvent, given in JSON form; durable once this returns. Twice the same id is one event."""
        path = path_of("v1", "namespaces", namespace, "events")
        await self.request("POST", path, body=json.encode(event), headers=_CLOUDEVENT)


def _said(**members: str | None) -> dict[str, JSON]:
    """A body without the members that were left out."""
    return {name: value for name, value in members.items() if value is not None}


def _gate_of(namespace: str, name: str | None, order: str) -> str:
    named = () if name is None else ("workflows", name)
    return path_of("v1", "namespaces", namespace, *named, order)


def _object(answer: Answer) -> dict[str, JSON]:
    return answer.body if isinstance(answer.body, dict) else {}


def _media_of(source: str) -> dict[str, str]:
    return _JSON if source.lstrip().startswith("{") else _YAML
