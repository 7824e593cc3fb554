"""Executions: start, list, show, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from lowtide.model.phase import Phase
from lowtide.wire.mac import digest_of

from ..deleting import delete
from ..requests import StartRequest
from ..store import executions
from ..store.filtering import Filter
from ..work import Work
from . import shapes
from .documents import JSON_BODY, json_body, reply, trace_of
from .execution_shown import find_execution, shown, summaries
from .explanation import add_explanation
from .here import Here, service_of
from .orders import add_orders
from .pages import (
    Cursor,
    ExecutionPath,
    Limit,
    NamePath,
    NamespacePath,
    execution_id,
    moment_of,
    named,
    page,
    read_cursor,
    seconds_of,
)
from .repeats import add_repeats
from .texts import TextRoute

__all__ = ["routes"]

_MARGIN = 10.0
_CURSOR = r"[0-9a-f-]{36}"


def routes() -> APIRouter:
    router = APIRouter(tags=["executions"], prefix="/v1/namespaces/{namespace}")
    _add_start(router)
    _add_lookups(router)
    add_orders(router)
    add_repeats(router)
    add_explanation(router)
    return router


def _add_start(router: APIRouter) -> None:
    often = APIRouter(tags=["executions"], prefix=router.prefix, route_class=TextRoute)

    @often.post(
        "/workflows/{name}/executions",
        status_code=202,
        response_model=shapes.Execution,
        responses={
            200: {"model": shapes.Execution, "description": "It ended in time"},
            **shapes.problems(409, 415, 429),
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
        service = service_of(request)
        named("workflow", namespace, name)
        seconds = None if wait is None else seconds_of(wait)
        given, body = await json_body(request)
        started = await service.starts.start(
            StartRequest(
                namespace,
                name,
                version,
                given,
                digest_of(body),
                key=idempotency_key,
                traceparent=trace_of(request),
                short_way=None if seconds is None else seconds + _MARGIN,
            )
        )
        execution = started.execution
        if started.order is not None:
            service.short_way.go(started.order, execution)
        if seconds is not None:
            execution = await service.waiters.wait(execution, seconds)
        location = {"location": f"/v1/namespaces/{namespace}/executions/{execution.id}"}
        status = 200 if seconds is not None and execution.ended else 202
        return reply(await shown(service.desk, execution), status, location)

    router.routes.extend(often.routes)


def _add_lookups(router: APIRouter) -> None:
    @router.get("/executions", response_model=shapes.ExecutionPage, responses=shapes.problems())
    async def list_executions(
        service: Here,
        namespace: NamespacePath,
        workflow: Annotated[str | None, Query(description="Of this workflow alone")] = None,
        version: Annotated[str | None, Query(description="Of this version alone")] = None,
        phase: Annotated[Phase | None, Query(description="In this phase alone")] = None,
        error_type: Annotated[
            str | None,
            Query(alias="errorType", description="Faulted with this error", examples=["communication"]),
        ] = None,
        created_after: Annotated[str | None, Query(alias="createdAfter", examples=["2026-11-23T09:30:00Z"])] = None,
        created_before: Annotated[str | None, Query(alias="createdBefore", examples=["2026-11-24T00:00:00Z"])] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response:
        """Executions, newest first, without their data."""
        named("namespace", namespace)
        if workflow is not None:
            named("workflow", workflow)
        before = read_cursor(cursor, _CURSOR)
        wanted = Filter(
            workflow=workflow,
            version=version,
            phases=(phase,) if phase else (),
            error_type=error_type,
            created_after=None if created_after is None else moment_of("createdAfter", created_after),
            created_before=None if created_before is None else moment_of("createdBefore", created_before),
        )
        rows = await service.desk.database.run(lambda tx: executions.page(tx, namespace, wanted, before, limit + 1))
        return reply(page(rows, limit, await summaries(service.desk, rows), "id"))

    @router.get("/executions/{execution}", response_model=shapes.Execution, responses=shapes.problems())
    async def show_execution(service: Here, namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """One execution: its data, its outcome, what it waits for."""
        found = await service.desk.database.run(lambda tx: find_execution(tx, namespace, execution))
        return reply(await shown(service.desk, found))

    @router.delete("/executions/{execution}", status_code=204, responses=shapes.problems(409))
    async def delete_execution(service: Here, namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """Delete one execution that has ended, with its journal and its data; analytics keeps what it was told.

        A child is deleted after its parent's end. Its `Idempotency-Key` is free again.
        """

        async def ask(work: Work) -> None:
            await find_execution(work.tx, namespace, execution)
            await delete(work, execution_id(execution))

        await service.desk.do(ask)
        return Response(status_code=204)
