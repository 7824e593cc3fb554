"""What an operator tells a workflow or a namespace: pause, resume, limits."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.model.limits import read_limits, written_limits

from ..pausing import pause, resume, set_limits
from ..service import Service
from ..store import gates, lanes
from ..store.gates import WHOLE, Gate
from ..work import Work
from . import shapes
from .documents import JSON_BODY, json_body, reply
from .here import Here
from .pages import NamePath, NamespacePath, named, time_text

__all__ = ["add_gates", "paused_of"]

_FASTEST: Final = 10_000
_PAUSE: Final = {"reason": "the warehouse is down"}
_LIMITS: Final = {"concurrency": {"limit": 5, "key": "${ .customer }"}, "queue": 1000}


def paused_of(own: Gate | None, whole: Gate | None) -> JSON:
    """Why starts wait, since when, and whose word it is; ``None`` where they do not."""
    for whose, gate in (("workflow", own), ("namespace", whole)):
        if gate is not None and gate.paused_at is not None:
            return {"since": time_text(gate.paused_at), "reason": gate.reason, "by": whose}
    return None


def add_gates(router: APIRouter, find: Any) -> None:
    """``find`` raises :class:`lowtide.errors.NotFound` where there is no such workflow."""
    base = "/v1/namespaces/{namespace}/workflows/{name}"

    @router.post(
        f"{base}/pause",
        response_model=shapes.Paused,
        responses=shapes.problems(415),
        openapi_extra=JSON_BODY(_PAUSE),
    )
    async def pause_workflow(service: Here, request: Request, namespace: NamespacePath, name: NamePath) -> Response:
        """Pause: starts are taken and wait until it is resumed; what has begun goes on."""
        await find(service, namespace, name)
        return await _pause(service, request, namespace, name)

    @router.post(
        f"{base}/resume",
        response_model=shapes.Paused,
        responses=shapes.problems(415),
        openapi_extra=JSON_BODY({"ramp": 10}),
    )
    async def resume_workflow(service: Here, request: Request, namespace: NamespacePath, name: NamePath) -> Response:
        """Resume: what waits begins, at once or `ramp` starts per second; a ramp ends when nothing waits any more."""
        await find(service, namespace, name)
        return await _resume(service, request, namespace, name)

    _add_limits(router, find, base)
    _add_whole(router)


def _add_limits(router: APIRouter, find: Any, base: str) -> None:
    @router.get(f"{base}/limits", response_model=shapes.Limits, responses=shapes.problems())
    async def show_limits(service: Here, namespace: NamespacePath, name: NamePath) -> Response:
        """The limits that hold, whose they are, and how many starts wait."""
        return reply(await _limits(service, find, namespace, name))

    @router.put(
        f"{base}/limits",
        response_model=shapes.Limits,
        responses=shapes.problems(415),
        openapi_extra=JSON_BODY(_LIMITS, required=True),
    )
    async def put_limits(service: Here, request: Request, namespace: NamespacePath, name: NamePath) -> Response:
        """Limits that replace those of the document, in every version, until they are removed."""
        from lowtide.dsl.lint.limits import mistakes_of

        await find(service, namespace, name)
        given, _ = await json_body(request)
        limits, _ = read_limits(given)
        wrong = mistakes_of(given)
        if wrong:
            said = (f"{'.'.join(one.path) or 'limits'}: {one.message}; {one.mend}" for one in wrong)
            raise InvalidInput("; ".join(said))
        await service.desk.do(lambda work: set_limits(work, namespace, name, limits))
        return reply(await _limits(service, find, namespace, name))

    @router.delete(f"{base}/limits", response_model=shapes.Limits, responses=shapes.problems())
    async def delete_limits(service: Here, namespace: NamespacePath, name: NamePath) -> Response:
        """The document's limits hold again."""
        await find(service, namespace, name)
        await service.desk.do(lambda work: set_limits(work, namespace, name, None))
        return reply(await _limits(service, find, namespace, name))


def _add_whole(router: APIRouter) -> None:
    @router.post(
        "/v1/namespaces/{namespace}/pause",
        response_model=shapes.Paused,
        responses=shapes.problems(415),
        openapi_extra=JSON_BODY(_PAUSE),
    )
    async def pause_namespace(service: Here, request: Request, namespace: NamespacePath) -> Response:
        """Pause all workflows of the namespace, also those that are deployed later."""
        named("namespace", namespace)
        return await _pause(service, request, namespace, WHOLE)

    @router.post(
        "/v1/namespaces/{namespace}/resume",
        response_model=shapes.Paused,
        responses=shapes.problems(415),
        openapi_extra=JSON_BODY({"ramp": 10}),
    )
    async def resume_namespace(service: Here, request: Request, namespace: NamespacePath) -> Response:
        """Resume the namespace; workflows that are paused by themselves stay so."""
        named("namespace", namespace)
        return await _resume(service, request, namespace, WHOLE)


async def _pause(service: Service, request: Request, namespace: str, workflow: str) -> Response:
    given, _ = await json_body(request, {})
    reason = given.get("reason", "paused by request") if isinstance(given, dict) else None
    if not isinstance(reason, str) or "\x00" in reason:
        raise InvalidInput('the body must be an object as {"reason": "why"}, or empty')
    await service.desk.do(lambda work: pause(work, namespace, workflow, reason[:1000]))
    return reply(await _state(service, namespace, workflow))


async def _resume(service: Service, request: Request, namespace: str, workflow: str) -> Response:
    given, _ = await json_body(request, {})
    ramp = given.get("ramp") if isinstance(given, dict) else given
    is_number = isinstance(ramp, int | float) and not isinstance(ramp, bool)
    if not isinstance(given, dict) or not (ramp is None or (is_number and 0.01 <= ramp <= _FASTEST)):
        raise InvalidInput(f'the body must be an object as {{"ramp": 10}} (0.01 to {_FASTEST} per second), or empty')
    await service.desk.do(lambda work: resume(work, namespace, workflow, None if ramp is None else float(ramp)))
    return reply(await _state(service, namespace, workflow))


async def _state(service: Service, namespace: str, workflow: str) -> dict[str, JSON]:
    async def look(work: Work) -> dict[str, JSON]:
        found = await gates.of_namespace(work.tx, namespace, [workflow])
        own, whole = (found.get(workflow) if workflow else None), found.get(WHOLE)
        ramp = (own or whole).ramp if (own or whole) else None  # type: ignore[union-attr]
        return {
            "namespace": namespace,
            "workflow": workflow or None,
            "paused": paused_of(own, whole),
            "ramp": ramp,
            "waiting": await _waiting(work, namespace, workflow),
        }

    return await service.desk.do(look)


async def _waiting(work: Work, namespace: str, workflow: str) -> int:
    prefix = gates.prefix_of(namespace, workflow)
    return (await lanes.count_waiting(work.tx, {prefix: 1_000_000}))[prefix]


async def _limits(service: Service, find: Any, namespace: str, name: str) -> dict[str, JSON]:
    version = await find(service, namespace, name)

    async def look(work: Work) -> dict[str, JSON]:
        gate = await gates.find(work.tx, namespace, name)
        of_operator = gate.limits if gate else None
        limits = await work.plans.limits(work.tx, version.id, of_operator)
        return {
            "limits": None if limits is None else written_limits(limits),
            "by": None if limits is None else "document" if of_operator is None else "operator",
            "waiting": await _waiting(work, namespace, name),
        }

    return await service.desk.do(look)
