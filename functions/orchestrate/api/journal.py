"""The journal of an execution: all that it is a fold of, for people and tools that look back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response

from lowtide.model.base import JSON
from lowtide.runtime.claims import Claims
from lowtide.wire.masking import Mask
from lowtide.wire.records import Claimed, JournalRecord

from ..nouns import Execution
from ..work import Work
from . import shapes
from .documents import reply
from .execution_shown import find_execution
from .here import Here
from .pages import Cursor, ExecutionPath, NamespacePath, cursor_of, read_cursor

__all__ = ["routes"]

_NUMBER: Final = r"\d{1,18}"
_BYTES: Final = 4 * 1024 * 1024
"""A page ends before the record that goes beyond; one record alone may be larger."""


def routes() -> APIRouter:
    router = APIRouter(tags=["executions"], prefix="/v1/namespaces/{namespace}")

    @router.get("/executions/{execution}/journal", response_model=shapes.JournalPage, responses=shapes.problems())
    async def read_journal(
        service: Here,
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
        kept, more = await service.ingest.journal(found.id, after, limit)
        records, cut = await _whole(service.desk.claims, found, kept)
        answer: dict[str, JSON] = {
            "items": [mask.record(record) for record in records],
            "next": cursor_of(str(records[-1].number)) if more or cut else None,
        }
        if plan is not None:
            answer |= {"plan": msgspec.Raw(plan), "seed": mask.seed(found.begun)}
        return reply(answer)

    return router


async def _whole(
    claims: Claims, execution: Execution, records: Sequence[JournalRecord]
) -> tuple[list[JournalRecord], bool]:
    """Records with what they refer to, and whether the page ends before the last of them: it is bounded by bytes."""
    found: list[JournalRecord] = []
    size = 0
    for record in records:
        if isinstance(record.entry.event, Claimed):
            size += record.entry.event.payload.size
            if found and size > _BYTES:
                return found, True
        entry = await claims.entry(execution.namespace, execution.id, record.entry)
        found.append(msgspec.structs.replace(record, entry=entry))
    return found, False
