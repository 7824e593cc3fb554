"""Executions that repeat another one: restart, retry, fork."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Request, Response

from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.model.state import Amendment
from lowtide.wire.mac import digest_of

from ..nouns import Repeating
from ..repeating import Wish
from ..service import Service
from ..starting import request_key
from . import shapes
from .documents import JSON_BODY, json_body, reply, trace_of
from .execution_shown import shown
from .here import Here
from .pages import ExecutionPath, NamespacePath, execution_id, named

__all__ = ["add_repeats"]

IdempotencyKey = Annotated[str | None, Header(description="The same key starts one execution")]

_EXAMPLE: Final = {
    **shapes.EXECUTION,
    "phase": "pending",
    "origin": {
        "execution": "0198f3a1-1c2d-7000-8000-5a6b7c8d9e0f",
        "kind": "fork",
        "task": "/do/1/charge@1.2",
    },
    "startedAt": None,
    "endedAt": None,
    "output": None,
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "The new execution, which names its `origin`",
        "content": {"application/json": {"example": _EXAMPLE}},
    },
    **shapes.problems(409, 415),
}
_OPTIONS: Final[dict[str, Any]] = {"status_code": 202, "response_model": shapes.Execution, "responses": _ANSWERS}


def add_repeats(router: APIRouter) -> None:
    @router.post("/executions/{execution}/retry", **_OPTIONS, openapi_extra=JSON_BODY({"version": "latest"}))
    async def retry_execution(
        service: Here, request: Request, namespace: NamespacePath, execution: ExecutionPath
    ) -> Response:
        """Begin a new execution where this one faulted: at the task that failed, with all that was done before it.

        `version` may name a mended version, or `latest`; by default it is the execution's own. A second retry of the
        same execution is the first one.
        """
        given = await _given(request, "version")
        wish = Wish(kind="retry", version=_version(given), traceparent=trace_of(request))
        return await _repeat(service, namespace, execution, wish)

    @router.post("/executions/{execution}/restart", **_OPTIONS, openapi_extra=JSON_BODY({"version": "latest"}))
    async def restart_execution(
        service: Here,
        request: Request,
        namespace: NamespacePath,
        execution: ExecutionPath,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Begin a new execution with the input of this one, from the beginning; in its version, or in `version`."""
        given = await _given(request, "version")
        wish = _keyed("restart", execution, given, idempotency_key, trace_of(request))
        return await _repeat(service, namespace, execution, wish)

    @router.post(
        "/executions/{execution}/fork",
        **_OPTIONS,
        openapi_extra=JSON_BODY({"task": "charge", "taskInput": {"amount": 42}, "version": "latest"}, required=True),
    )
    async def fork_execution(
        service: Here,
        request: Request,
        namespace: NamespacePath,
        execution: ExecutionPath,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Begin a new execution at a task that this one entered; what was done before that task is not done again.

        `task` is a task's name, its reference, or one of its entries as the timeline shows them (where it was entered
        more than once). `taskInput` and `context` replace what that task gets, `input` the workflow's input, `version`
        the version: each only as far as what was done before would have been done in the same way.
        """
        given = await _given(request, "task", "version", "input", "taskInput", "context")
        wish = _keyed("fork", execution, given, idempotency_key, trace_of(request))
        return await _repeat(service, namespace, execution, wish)


async def _repeat(service: Service, namespace: str, execution: str, wish: Wish) -> Response:
    named("namespace", namespace)
    started = await service.repeats.repeat(namespace, execution_id(execution), wish)
    location = {"location": f"/v1/namespaces/{namespace}/executions/{started.execution.id}"}
    return reply(await shown(service.desk, started.execution), 202, location)


def _keyed(kind: Repeating, execution: str, given: dict[str, JSON], key: str | None, traceparent: str | None) -> Wish:
    """The wish that a request says; its key stands for this very request alone."""
    task = given.get("task")
    if kind == "fork" and not (isinstance(task, str) and task):
        raise InvalidInput('task: name the task to go on from, as {"task": "charge"}; the timeline shows all entries')
    said = msgspec.json.encode([kind, execution.lower(), given])
    return Wish(
        kind=kind,
        version=_version(given),
        task=task,
        input=given.get("input", msgspec.UNSET),
        amendment=Amendment(input=given.get("taskInput", msgspec.UNSET), context=given.get("context", msgspec.UNSET)),
        dedupe=None if key is None else request_key(key),
        body_digest=None if key is None else digest_of(said),
        traceparent=traceparent,
    )


async def _given(request: Request, *members: str) -> dict[str, JSON]:
    given, _ = await json_body(request, {})
    if not isinstance(given, dict) or not set(given) <= set(members):
        wrong = ", ".join(set(given) - set(members)) if isinstance(given, dict) else "something else"
        raise InvalidInput(f"the body is an object with {', '.join(members)}, each if wanted; found {wrong}")
    return given


def _version(given: dict[str, JSON]) -> str | None:
    version = given.get("version")
    if version is not None and not (isinstance(version, str) and version.isprintable() and 0 < len(version) <= 200):
        raise InvalidInput('version: write the name of a version, such as "1.2.0", or "latest"')
    return version
