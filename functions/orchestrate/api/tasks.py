"""Human tasks: list, show, claim, release, complete."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response

from lowtide.engine.depth import is_too_deep
from lowtide.errors import InvalidInput, NotFound
from lowtide.model.base import JSON
from lowtide.wire import json
from lowtide.wire.mac import digest_of

from ..asking import Answer, claim, complete, find_task, release
from ..store import asks, executions
from ..store.asks import Status, TaskFilter
from . import shapes
from .documents import JSON_BODY, json_body, reply
from .here import Here
from .pages import Cursor, Limit, NamespacePath, named, page, read_cursor
from .task_shown import HumanTask, HumanTaskPage, shown, summary

__all__ = ["routes"]

_NUMBER: Final = r"\d{1,18}"
_LONGEST: Final = 200

TaskPath = Annotated[str, Path(description="A human task's number", examples=["42"])]


def routes() -> APIRouter:
    router = APIRouter(tags=["human tasks"], prefix="/v1/namespaces/{namespace}/tasks")
    _add_lookups(router)
    _add_claims(router)

    @router.post(
        "/{task}/complete",
        response_model=HumanTask,
        responses=shapes.problems(409, 410, 415, 422),
        openapi_extra=JSON_BODY({"by": "ann", "data": {"approved": True}}, required=True),
    )
    async def complete_task(
        service: Here,
        request: Request,
        namespace: NamespacePath,
        task: TaskPath,
        idempotency_key: Annotated[str | None, Header(description="The same key and body are taken once")] = None,
    ) -> Response:
        """Complete: the workflow goes on with `data`, which must fit the form (422 lists what does not).

        Once this is answered, it cannot be lost. Refused where it is another's, or was completed before (409); where
        its deadline is over, or nobody waits for it any more (410).
        """
        number = _number(namespace, task)
        given, body = await json_body(request)
        by = _by(given, {"by", "data"})
        if is_too_deep(given):
            raise InvalidInput("data: it is nested too deeply for a workflow to hold it")
        answer = Answer(given.get("data"), digest_of(body), idempotency_key, by)
        return reply(await shown(service.desk, await complete(service.desk, namespace, number, answer)))

    return router


def _add_lookups(router: APIRouter) -> None:
    @router.get("", response_model=HumanTaskPage, responses=shapes.problems())
    async def list_tasks(
        service: Here,
        namespace: NamespacePath,
        status: Annotated[Status | None, Query(description="With this status alone")] = None,
        user: Annotated[str | None, Query(description="Assigned to this person", examples=["ann"])] = None,
        group: Annotated[str | None, Query(description="Assigned to this group", examples=["finance"])] = None,
        claimed_by: Annotated[str | None, Query(alias="claimedBy", description="Claimed by this person")] = None,
        workflow: Annotated[str | None, Query(description="Of this workflow alone")] = None,
        execution: Annotated[str | None, Query(description="Of this execution alone")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response:
        """Human tasks, newest first, without their data."""
        named("namespace", namespace)
        if workflow is not None:
            named("workflow", workflow)
        if any("\x00" in (name or "") for name in (user, group, claimed_by)):
            raise InvalidInput("user, group, claimedBy: nobody has a name with NUL in it")
        if user is not None and group is not None:
            raise InvalidInput("a task is assigned to a person or to a group: give user or group")
        if execution is not None and not executions.is_id(execution.lower()):
            raise InvalidInput(f"execution: {execution!r} is no execution's id; ids are UUIDs")
        before = read_cursor(cursor, _NUMBER)
        wanted = TaskFilter(
            status=status,
            assignee=f"user:{user}" if user is not None else f"group:{group}" if group is not None else None,
            claimed_by=claimed_by,
            workflow=workflow,
            execution=execution and execution.lower(),
        )
        position = None if before is None else int(before)
        rows = await service.desk.database.run(lambda tx: asks.page(tx, namespace, wanted, position, limit + 1))
        return reply(page(rows, limit, [await summary(service.desk, row) for row in rows], "id"))

    @router.get("/{task}", response_model=HumanTask, responses=shapes.problems())
    async def show_task(service: Here, namespace: NamespacePath, task: TaskPath) -> Response:
        """One human task: what is asked, of whom, until when, and what was answered."""
        number = _number(namespace, task)
        return reply(await shown(service.desk, await service.desk.do(lambda work: find_task(work, namespace, number))))


def _add_claims(router: APIRouter) -> None:
    options: dict[str, Any] = {
        "response_model": HumanTask,
        "responses": shapes.problems(409, 410, 415),
        "openapi_extra": JSON_BODY({"by": "ann"}, required=True),
    }

    @router.post("/{task}/claim", **options)
    async def claim_task(service: Here, request: Request, namespace: NamespacePath, task: TaskPath) -> Response:
        """Claim: nobody else can complete it until it is released, or passes to another assignee."""
        number = _number(namespace, task)
        by = _by((await json_body(request))[0], {"by"})
        return reply(await shown(service.desk, await service.desk.do(lambda work: claim(work, namespace, number, by))))

    @router.post("/{task}/release", **options)
    async def release_task(service: Here, request: Request, namespace: NamespacePath, task: TaskPath) -> Response:
        """Release: whoever has claimed it gives it back."""
        number = _number(namespace, task)
        by = _by((await json_body(request))[0], {"by"})
        return reply(
            await shown(service.desk, await service.desk.do(lambda work: release(work, namespace, number, by)))
        )


def _by(given: JSON, known: set[str]) -> str:
    """Who does it. Raises :class:`lowtide.errors.InvalidInput` where the body says something else, or nothing."""
    example = json.encode({"by": "ann", "data": {"approved": True}} if "data" in known else {"by": "ann"}).decode()
    if not isinstance(given, dict) or not set(given) <= known:
        raise InvalidInput(f"the body must be an object as {example}")
    by = given.get("by")
    if not isinstance(by, str) or not by.strip() or len(by) > _LONGEST or "\x00" in by:
        raise InvalidInput(f"by: the name of the person who does it, at most {_LONGEST} characters, as in {example}")
    return by


def _number(namespace: str, text: str) -> int:
    named("namespace", namespace)
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound(f"there is no task {text!r}: human tasks have numbers")
    return int(text)
