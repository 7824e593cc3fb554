"""Workflows: deploy, list, show, draw, remove; and validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from lowtide.errors import InvalidDocument, NotFound
from lowtide.model.base import JSON
from lowtide.model.plan import Plan
from lowtide.wire import json

from ..deploying import Deployed, deploy, find_deployed, problem_json, remove
from ..nouns import WorkflowVersion
from ..service import Service
from ..store import gates, workflows
from ..store.database import Tx
from . import shapes
from .documents import DOCUMENT_BODY, document_text, reply
from .gates import add_gates, paused_of
from .here import Here
from .operations import operation_shown
from .pages import Cursor, Limit, NamePath, NamespacePath, named, page, read_cursor, time_text

if TYPE_CHECKING:
    from lowtide.dsl import Checked

__all__ = ["routes"]

Force = Annotated[bool, Query(description="Also while executions live: they are cancelled")]


_REMOVED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": shapes.Operation, "description": "Removed; the operation cancels the executions that live"},
    **shapes.problems(409),
}


class _Mistakes(InvalidDocument):
    """With the problems as the API shows them."""

    def __init__(self, checked: Checked) -> None:
        super().__init__([str(problem) for problem in checked.errors])
        self.found = [problem_json(problem) for problem in checked.problems]


class _WrongNamespace(InvalidDocument):
    def __init__(self, message: str) -> None:
        super().__init__([message])
        mend = "deploy it to its own namespace, or change document.namespace"
        self.found = [{"line": 1, "column": 1, "severity": "error", "message": message, "mend": mend}]


def routes() -> APIRouter:
    router = APIRouter(tags=["workflows"])
    base = "/v1/namespaces/{namespace}/workflows"

    @router.post(
        base,
        status_code=201,
        response_model=shapes.Workflow,
        responses={200: {"model": shapes.Workflow, "description": "It was there"}, **shapes.problems(409, 415, 422)},
        openapi_extra=DOCUMENT_BODY,
    )
    async def create(service: Here, request: Request, namespace: NamespacePath) -> Response:
        """Deploy a version of a workflow. The same version with the same content again is no mistake."""
        named("namespace", namespace)
        text = await document_text(request)
        checked = _check(text)
        plan = checked.plan
        if plan is None:
            raise _Mistakes(checked)
        if plan.namespace != namespace:
            raise _WrongNamespace(f"document.namespace is {plan.namespace}, the request is for {namespace}")
        deployed = await _deploy(service, text.decode("utf-8-sig"), plan, checked)
        shown = {**await _summary(service, deployed.version), "warnings": json.parse(deployed.version.warnings)}
        location = {"location": f"/v1/namespaces/{namespace}/workflows/{plan.name}/versions/{plan.version}"}
        return reply(shown, 201 if deployed.fresh else 200, location)

    _add_lookups(router, base)
    _add_removals(router, base)
    _add_checks(router, base)
    add_gates(router, _find)
    return router


def _check(text: bytes) -> Checked:
    from lowtide import dsl  # a quarter of a second, which a tick, an event or a start need not wait for

    return dsl.check(text, "workflow")


async def _deploy(service: Service, source: str, plan: Plan, checked: Checked) -> Deployed:
    """What the document refers to outside itself is fetched before, and outside of, the transaction that stores it."""
    if checked.refers_outside:
        there = await service.desk.database.run(lambda tx: find_deployed(tx, source, plan))
        if there is not None:
            return there
        checked = await service.fetcher.pin(checked)
    pinned = checked.plan
    if pinned is None:
        raise _Mistakes(checked)
    return await service.desk.do(lambda work: deploy(work, source, pinned, checked))


def _add_lookups(router: APIRouter, base: str) -> None:
    @router.get(base, response_model=shapes.WorkflowPage, responses=shapes.problems())
    async def list_workflows(
        service: Here, namespace: NamespacePath, cursor: Cursor = None, limit: Limit = 50
    ) -> Response:
        """The newest version of each workflow, by name."""
        named("namespace", namespace)
        after = read_cursor(cursor, r"[a-zA-Z0-9-]{1,63}")
        rows = await service.desk.database.run(lambda tx: workflows.newest_page(tx, namespace, after, limit + 1))
        return reply(page(rows, limit, await _summaries(service, namespace, rows), "name"))

    @router.get(f"{base}/{{name}}", response_model=shapes.Workflow, responses=shapes.problems())
    async def show(service: Here, namespace: NamespacePath, name: NamePath) -> Response:
        """The newest version, with its document."""
        return reply(await _shown(service, await _find(service, namespace, name)))

    @router.get(f"{base}/{{name}}/versions", response_model=shapes.WorkflowPage, responses=shapes.problems())
    async def list_versions(
        service: Here, namespace: NamespacePath, name: NamePath, cursor: Cursor = None, limit: Limit = 50
    ) -> Response:
        """All versions, newest first."""
        before = read_cursor(cursor, r"\d{1,18}")
        await _find(service, namespace, name)
        position = None if before is None else int(before)
        rows = await service.desk.database.run(
            lambda tx: workflows.versions_page(tx, namespace, name, position, limit + 1)
        )
        return reply(page(rows, limit, await _summaries(service, namespace, rows), "id"))

    @router.get(f"{base}/{{name}}/versions/{{version}}", response_model=shapes.Workflow, responses=shapes.problems())
    async def show_version(service: Here, namespace: NamespacePath, name: NamePath, version: str) -> Response:
        """One version, with its document."""
        return reply(await _shown(service, await _find(service, namespace, name, version)))


def _add_removals(router: APIRouter, base: str) -> None:
    @router.delete(f"{base}/{{name}}", status_code=204, responses=_REMOVED)
    async def delete(service: Here, namespace: NamespacePath, name: NamePath, force: Force = False) -> Response:
        """Remove all versions; while executions live only by force, which cancels them: see the operation."""
        named("workflow", namespace, name)
        return await _remove(service, namespace, name, None, force=force)

    @router.delete(f"{base}/{{name}}/versions/{{version}}", status_code=204, responses=_REMOVED)
    async def delete_version(
        service: Here, namespace: NamespacePath, name: NamePath, version: str, force: Force = False
    ) -> Response:
        """Remove one version; the newest of those left is then the newest."""
        await _find(service, namespace, name, version)
        return await _remove(service, namespace, name, version, force=force)


async def _remove(service: Service, namespace: str, name: str, version: str | None, *, force: bool) -> Response:
    kind = service.kinds["cancel"]
    operation = await service.desk.do(lambda work: remove(work, namespace, name, version, force=force, kind=kind))
    if operation is None:
        return Response(status_code=204)
    location = {"location": f"/v1/namespaces/{namespace}/operations/{operation.id}"}
    return reply(operation_shown(operation), 202, location)


_GRAPH: Final[dict[str, Any]] = {
    "description": "The graph in the form that was asked for",
    "content": {
        "application/json": {"schema": {"type": "object", "required": ["nodes", "edges"]}},
        "text/plain": {"schema": {"type": "string"}, "example": 'flowchart TD\n  start_(["start"]) --> end_(["end"])'},
    },
}


def _add_checks(router: APIRouter, base: str) -> None:
    @router.get(f"{base}/{{name}}/graph", responses={200: _GRAPH, **shapes.problems()})
    async def graph(
        service: Here,
        namespace: NamespacePath,
        name: NamePath,
        version: str | None = None,
        format: Annotated[Literal["json", "mermaid"], Query(description="How it is drawn")] = "json",
    ) -> Response:
        """The workflow as a graph: nodes and edges, or a Mermaid diagram."""
        from lowtide.dsl import draw

        plan = json.decode((await _find(service, namespace, name, version)).plan, Plan)
        return PlainTextResponse(draw.mermaid(plan)) if format == "mermaid" else reply(draw.graph(plan))

    @router.post(
        "/v1/validate",
        response_model=shapes.Validation,
        responses=shapes.problems(415),
        openapi_extra=DOCUMENT_BODY,
    )
    async def validate(request: Request) -> Response:
        """All mistakes and warnings of a document; nothing is stored."""
        checked = _check(await document_text(request))
        return reply(
            {"valid": checked.plan is not None, "problems": [problem_json(problem) for problem in checked.problems]}
        )


async def _find(service: Service, namespace: str, name: str, version: str | None = None) -> WorkflowVersion:
    named("workflow", namespace, name)
    if version is not None and (len(version) > 200 or not version.isprintable()):
        raise NotFound(f"there is no version {version!r}")

    async def look(tx: Tx) -> WorkflowVersion | None:
        return await workflows.find_version(tx, namespace, name, version)

    found = await service.desk.database.run(look)
    if found is None:
        suffix = f" of version {version}" if version else ""
        raise NotFound(f"there is no workflow {namespace}/{name}{suffix}")
    return found


async def _summaries(service: Service, namespace: str, rows: Sequence[Any]) -> list[dict[str, JSON]]:
    """Versions as they stand in a list, with what operators say of their workflows."""
    names = {row.name for row in rows}
    found = await service.desk.database.run(lambda tx: gates.of_namespace(tx, namespace, names))
    whole = found.get(gates.WHOLE)
    return [
        {
            "namespace": row.namespace,
            "name": row.name,
            "version": row.version,
            "createdAt": time_text(row.created_at),
            "paused": paused_of(found.get(row.name), whole),
            "ramp": next((gate.ramp for gate in (found.get(row.name), whole) if gate and gate.ramp), None),
        }
        for row in rows
    ]


async def _summary(service: Service, version: WorkflowVersion) -> dict[str, JSON]:
    return (await _summaries(service, version.namespace, [version]))[0]


async def _shown(service: Service, version: WorkflowVersion) -> dict[str, JSON]:
    return {
        **await _summary(service, version),
        "source": version.source,
        "definition": json.parse(version.definition),
        "warnings": json.parse(version.warnings),
    }
