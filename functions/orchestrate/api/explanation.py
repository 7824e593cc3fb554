"""Why an execution is where it is."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lowtide.errors import LowtideError
from lowtide.model.state import State
from lowtide.wire.masking import Mask
from lowtide.wire.records import LeaseState

from ..explaining import explain
from ..nouns import Execution
from ..service import Service
from ..states import state_of
from ..store.standing import Standing, standing_of
from ..work import Work
from . import shapes
from .documents import reply
from .execution_shown import find_execution
from .here import Here
from .pages import ExecutionPath, NamespacePath

__all__ = ["add_explanation"]


def add_explanation(router: APIRouter) -> None:
    @router.get("/executions/{execution}/explanation", response_model=shapes.Explanation, responses=shapes.problems())
    async def explain_execution(service: Here, namespace: NamespacePath, execution: ExecutionPath) -> Response:
        """Why it is waiting or running or suspended: for what, since when, and what would wake it.

        `sentences` say it for people, `waits` one by one for programs. Of an execution that runs, `dispatch` says how
        far its way to a process is; where the journal cannot be asked, its `lease` is `null`.
        """

        async def look(work: Work) -> tuple[Execution, State | None, Standing, Mask]:
            found = await find_execution(work.tx, namespace, execution)
            mask = await work.plans.mask(work.tx, found.workflow_version)
            return found, await _state(work, found), await standing_of(work.tx, found), mask

        found, state, standing, mask = await service.desk.do(look)
        lease, asked = await _lease(service, found)
        return reply(mask.json(explain(found, state, standing, lease, asked=asked)))


async def _state(work: Work, execution: Execution) -> State | None:
    """A state that cannot be had leaves out what only it knows, and the rest is explained."""
    try:
        return await state_of(work, execution)
    except LowtideError:
        return None


async def _lease(service: Service, execution: Execution) -> tuple[LeaseState | None, bool]:
    """What the journal knows of it, and whether it could be asked; only of what may be running."""
    if execution.phase not in ("pending", "running"):
        return None, True
    try:
        return (await service.ingest.leases([execution.id])).get(execution.id), True
    except LowtideError:
        return None, False
