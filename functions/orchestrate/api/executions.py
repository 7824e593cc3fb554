"""Executions: start, list, show, cancel."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from lowtide.errors import Conflict, InvalidInput, NotFound
from lowtide.model.base import JSON
from lowtide.model.command import Await, RunChild, Sleep
from lowtide.model.phase import Phase
from lowtide.wire import json
from lowtide.wire.mac import digest_of
from lowtide.wire.types import Extension

from ..cancelling import cancel
from ..nouns import Deployed, Execution, Passive, moment
from ..service import Service
from ..starting import Started, request_key, start
from ..store import executions, workflows
from ..work import Work
from . import shapes
from .documents import JSON_BODY, json_body, reply
from .pages import (
    Cursor,
    ExecutionPath,
    Limit,
    NamePath,
    NamespacePath,
    execution_id,
    named,
    page,
    read_cursor,
    seconds_of,
    time_text,
)

__all__ = ["routes"]

_MARGIN = 10.0
_CURSOR = r"[0-9a-f-]{36}"


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["executions"], prefix="/v1/namespaces/{namespace}")

    @router.post(
        "/workflows/{name}/executions",
        status_code=202,
        response_model=shapes.Execution,
        responses={
            200: {"model": shapes.Execution, "description": "It ended in time"},
            **shapes.problems(404, 409, 415),
        },
        openapi_extra=JSON_BODY({"name": "Ada"}),
    )
    async def start_execution(
        request: Request,
        namespace: NamespacePath,
        name: NamePath,
        version: Annotated[str | None, Query(description="Which version; the newest by default")] = None,
        wait: Annotated[str | None, Query(description="Wait this long for the end", examples=["30s"])] = None,
        idempotency_key: Annotated[str | None, Header(description="The same key starts one execution")] = None,
    ) -> Response:
        """Start an execution; the body is its input, `null` where empty."""
        named("workflow", namespace, name)
        seconds = None if wait is None else seconds_of(wait)
        given, body = await json_body(request)
        wanted = _Start(namespace, name, version, given, idempotency_key, digest_of(body), _trace(request), seconds)
        started = await service.desk.do(lambda work: _start(work, wanted))
        execution = started.execution
        if started.order is not None:
            service.short_way.go(started.order)
        if seconds is not None:
            execution = await service.waiters.wait(execution, seconds)
        location = {"location": f"/v1/namespaces/{namespace}/executions/{execution.id}"}
        return reply(_shown(execution), 200 if seconds is not None and execution.ended else 202, location)

    _add_lookups(router, service)
    _add_cancel(router, service)
    return router


def _add_lookups(router: APIRouter, service: Service) -> None:
    @router.get("/executions", response_model=shapes.ExecutionPage, responses=shapes.problems())
    async def list_executions(
        namespace: NamespacePath,
        workflow: Annotated[str | None, Query(description="Of this workflow alone")] = None,
        phase: Annotated[Phase | None, Query(description="In this phase alone")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response:
        """Executions, newest first, without their data."""
        named("namespace", namespace)
        if workflow is not None:
            named("workflow", workflow)
        before = read_cursor(cursor, _CURSOR)
        rows = await service.desk.database.run(
            lambda tx: executions.page(tx, namespace, workflow, phase, before, limit + 1)
        )
        return reply(page(rows, limit, [_summary(row) for row in rows], "id"))

    @router.get("/executions/{execution}", response_model=shapes.Execution, responses=shapes.problems(404))
    async def show_execution(namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """One execution: its data, its outcome, what it waits for."""
        found = await service.desk.database.run(lambda tx: _find(tx, namespace, execution))
        return reply(_shown(found))


def _add_cancel(router: APIRouter, service: Service) -> None:
    @router.post(
        "/executions/{execution}/cancel",
        status_code=202,
        response_model=shapes.Execution,
        responses=shapes.problems(404, 409, 415),
        openapi_extra=JSON_BODY({"reason": "ordered twice"}),
    )
    async def cancel_execution(request: Request, namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """Ask for the end: at once where it waits, within seconds where it runs. The first end wins."""
        given, _ = await json_body(request, {})
        reason = given.get("reason", "cancelled by request") if isinstance(given, dict) else None
        if not isinstance(reason, str):
            raise InvalidInput('the body must be an object as {"reason": "why"}, or empty')

        async def ask(work: Work) -> Execution:
            await _find(work.tx, namespace, execution)
            found = await cancel(work, execution_id(execution), reason)
            assert found is not None
            return found

        found = await service.desk.do(ask)
        if found.ended and found.phase != "cancelled":
            raise Conflict(f"execution {found.id} had already {found.phase} when it was asked to cancel")
        return reply(_shown(found), 202)


class _Start:
    """A request to start an execution."""

    def __init__(
        self,
        namespace: str,
        name: str,
        version: str | None,
        given: JSON,
        key: str | None,
        digest: str,
        traceparent: str | None,
        wait: float | None,
    ) -> None:
        self.namespace, self.name, self.version = namespace, name, version
        self.given, self.digest, self.traceparent = given, digest, traceparent
        self.dedupe = None if key is None else request_key(key)
        self.short_way = None if wait is None else wait + _MARGIN


async def _start(work: Work, wanted: _Start) -> Started:
    version, now = await workflows.find_deployed(work.tx, wanted.namespace, wanted.name, wanted.version)
    if version is None:
        suffix = f" of version {wanted.version}" if wanted.version else ""
        raise NotFound(f"there is no workflow {wanted.namespace}/{wanted.name}{suffix}; deploy it first")
    await _check_input(work, version, wanted.given)
    return await start(
        work,
        version,
        wanted.given,
        now,
        dedupe=wanted.dedupe,
        body_digest=wanted.digest if wanted.dedupe else None,
        traceparent=wanted.traceparent,
        short_way=wanted.short_way,
    )


async def _check_input(work: Work, version: Deployed, given: JSON) -> None:
    """An input that the workflow's own schema refuses starts nothing."""
    plan = await work.plans.get(work.tx, version.id)
    schema = plan.input.schema if plan.input else None
    if schema is None or schema.document is None:
        return
    wrong = work.host.violations(schema.document, given)
    if wrong:
        raise InvalidInput(
            f"the input does not fit the schema of {version.namespace}/{version.name}: {'; '.join(wrong)}"
        )


async def _find(tx: Any, namespace: str, execution: str) -> Execution:
    named("namespace", namespace)
    found = await executions.find(tx, namespace, execution_id(execution))
    if found is None:
        raise NotFound(f"there is no execution {execution} in namespace {namespace}")
    return found


def _trace(request: Request) -> str | None:
    value = request.headers.get(Extension.traceparent)
    return value if value and value.isascii() and value.isprintable() and len(value) < 100 else None


def _summary(row: Any) -> dict[str, JSON]:
    """An execution as it stands in a list."""
    return {
        "id": row.id,
        "namespace": row.namespace,
        "workflow": row.workflow,
        "version": row.version,
        "phase": row.phase,
        "epoch": row.epoch,
        "createdAt": time_text(row.created_at),
        "startedAt": time_text(row.started_at),
        "endedAt": time_text(row.ended_at),
        "parent": row.parent,
        "error": json.parse(row.error) if row.error else None,
        "reason": row.reason,
    }


def _shown(execution: Execution) -> dict[str, JSON]:
    """An execution with its data."""
    waiting = execution.commands if execution.phase == "waiting" else ()
    return {
        **_summary(execution),
        "input": execution.begun.input,
        "output": json.parse(execution.output) if execution.output else None,
        "waitingFor": [_waiting(command) for command in waiting],
    }


def _waiting(command: Passive) -> dict[str, JSON]:
    match command:
        case Sleep():
            until = time_text(moment(command.until))
            return {"command": command.id, "kind": "timer", "until": until, "purpose": command.purpose}
        case Await():
            types = [wanted.with_["type"] for wanted in command.filters if "type" in wanted.with_]
            return {"command": command.id, "kind": "events", "need": command.need, "types": types}
        case RunChild():
            names = {"namespace": command.namespace, "workflow": command.workflow, "version": command.version}
            return {"command": command.id, "kind": "workflow", **names}
