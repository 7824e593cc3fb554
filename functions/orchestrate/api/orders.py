"""What an operator tells an execution: cancel, suspend, resume."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from lowtide.errors import Conflict, InvalidInput

from ..cancelling import cancel
from ..nouns import Execution
from ..suspending import resume, suspend
from ..work import Work
from . import shapes
from .documents import JSON_BODY, json_body, reply
from .execution_shown import find_execution, shown
from .here import Here
from .pages import ExecutionPath, NamespacePath, execution_id

__all__ = ["add_orders"]


_SUSPENDED_EXAMPLE: Final = {
    "id": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
    "namespace": "shop",
    "workflow": "fulfil-order",
    "version": "1.0.0",
    "phase": "suspended",
    "epoch": 2,
    "createdAt": "2026-11-23T09:30:00.000Z",
    "startedAt": "2026-11-23T09:30:00.021Z",
    "endedAt": None,
    "parent": None,
    "input": {"order": "A-17"},
    "output": None,
    "error": None,
    "reason": "the warehouse is closed",
    "waitingFor": [
        {"command": "/do/1/paid@1.2", "kind": "events", "need": "any", "types": ["com.example.payment.received"]}
    ],
}
_SUSPENDED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "Suspended, or still running until it has parked: `phase` says which",
        "content": {"application/json": {"example": _SUSPENDED_EXAMPLE}},
    },
    **shapes.problems(409, 415),
}


def add_orders(router: APIRouter) -> None:
    _add_cancel(router)

    @router.post(
        "/executions/{execution}/suspend",
        status_code=202,
        response_model=shapes.Execution,
        responses=_SUSPENDED,
        openapi_extra=JSON_BODY({"reason": "the warehouse is closed"}),
    )
    async def suspend_execution(
        service: Here, request: Request, namespace: NamespacePath, execution: ExecutionPath
    ) -> Response:
        """Suspend: at once where it waits; where it runs, as soon as its calls in flight have ended.

        Whatever it waits for is kept until it is resumed; its timeouts and its children go on.
        """
        reason = await _reason(request, "suspended by request")

        async def ask(work: Work) -> Execution:
            await find_execution(work.tx, namespace, execution)
            found = await suspend(work, execution_id(execution), reason)
            assert found is not None
            return found

        return reply(await shown(service.desk, await service.desk.do(ask)), 202)

    @router.post(
        "/executions/{execution}/resume",
        status_code=202,
        response_model=shapes.Execution,
        responses=shapes.problems(409),
    )
    async def resume_execution(service: Here, namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """Let a suspended execution go on, whoever suspended it; one that is not suspended stays as it is."""

        async def ask(work: Work) -> Execution:
            await find_execution(work.tx, namespace, execution)
            found = await resume(work, execution_id(execution))
            assert found is not None
            return found

        return reply(await shown(service.desk, await service.desk.do(ask)), 202)


def _add_cancel(router: APIRouter) -> None:
    @router.post(
        "/executions/{execution}/cancel",
        status_code=202,
        response_model=shapes.Execution,
        responses=shapes.problems(409, 415),
        openapi_extra=JSON_BODY({"reason": "ordered twice"}),
    )
    async def cancel_execution(
        service: Here, request: Request, namespace: NamespacePath, execution: ExecutionPath
    ) -> Response:
        """Ask for the end: at once where it waits, within seconds where it runs. The first end wins."""
        reason = await _reason(request, "cancelled by request")

        async def ask(work: Work) -> Execution:
            await find_execution(work.tx, namespace, execution)
            found = await cancel(work, execution_id(execution), reason)
            assert found is not None
            return found

        found = await service.desk.do(ask)
        if found.ended and found.phase != "cancelled":
            raise Conflict(f"execution {found.id} had already {found.phase} when it was asked to cancel")
        return reply(await shown(service.desk, found), 202)


async def _reason(request: Request, default: str) -> str:
    given, _ = await json_body(request, {})
    reason = given.get("reason", default) if isinstance(given, dict) else None
    if not isinstance(reason, str):
        raise InvalidInput('the body must be an object as {"reason": "why"}, or empty')
    return reason
