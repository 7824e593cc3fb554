"""The journal of an execution: all that it is a fold of, for people and tools that look back."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response

from lowtide.model.base import JSON
from lowtide.wire.masking import Mask

from ..nouns import Execution
from ..service import Service
from ..work import Work
from . import shapes
from .documents import reply
from .execution_shown import find_execution
from .pages import Cursor, ExecutionPath, NamespacePath, cursor_of, read_cursor

__all__ = ["routes"]

_NUMBER: Final = r"\d{1,18}"


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["executions"], prefix="/v1/namespaces/{namespace}")

    @router.get("/executions/{execution}/journal", response_model=shapes.JournalPage, responses=shapes.problems(404))
    async def read_journal(
        namespace: NamespacePath,
        execution: ExecutionPath,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500, description="How many records a page has at most")] = 200,
    ) -> Response:
        """What happened to it, in order. The first page also has its plan and its seed: with these three the engine
        comes to the same state anywhere. A page may be shorter than `limit` where records are large. Secrets that the
        workflow names are masked in what happened and in the input: a state that is computed from them is another one.
        """
        after = int(read_cursor(cursor, _NUMBER) or 0)

        async def look(work: Work) -> tuple[Execution, bytes | None, Mask]:
            found = await find_execution(work.tx, namespace, execution)
            plan = await work.plans.stored(work.tx, found.workflow_version) if after == 0 else None
            return found, plan, await work.plans.mask(work.tx, found.workflow_version)

        found, plan, mask = await service.desk.do(look)
        records, more = await service.ingest.journal(found.id, after, limit)
        answer: dict[str, JSON] = {
            "items": [mask.record(record) for record in records],
            "next": cursor_of(str(records[-1].number)) if more else None,
        }
        if plan is not None:
            answer |= {"plan": msgspec.Raw(plan), "seed": mask.seed(found.begun)}
        return reply(answer)

    return router
