"""Two executions laid beside each other: tasks, paths, usage, cost, and their versions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic.alias_generators import to_camel
from sqlalchemy import select

from lowtide.errors import NotFound
from lowtide.model.cost import Prices, price
from lowtide.storage.analytics import executions

from . import difference
from .answers import (
    Compared,
    ComparedTask,
    Comparison,
    DefinitionDifference,
    Divergence,
    ReachedTask,
    TaskSide,
    UsageTotal,
)
from .cost import PricesQuery, quantities_of
from .executions import require_known
from .happened import MOST_ENTRIES, Entry, Ran, Runs, entries_of, outline_of, ran, runs_of
from .parameters import Namespace, execution_id
from .problems import RESPONSES
from .spending import prices_of
from .store import Store
from .timeline import read_error

__all__ = ["routes"]

_SPENT: Final = [executions.c[name] for name in ("phase", "duration_ms", *UsageTotal.model_fields)]


@dataclass(frozen=True, slots=True)
class _Side:
    id: UUID
    of: Ran
    phase: str | None
    quantities: dict[str, float]
    runs: list[Runs]
    entries: list[Entry]

    @property
    def shown(self) -> Compared:
        return Compared(
            id=str(self.id),
            workflow=self.of.workflow,
            version=self.of.version,
            phase=self.phase,
            quantities=self.quantities,
        )


def routes(store: Store, usual: Prices) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions/{execution}/compare/{other}", summary="What differs between two executions")
    async def compare(
        namespace: Namespace, execution: str, other: str, query: Annotated[PricesQuery, Query()]
    ) -> Comparison:
        """Differences are those of `other` (`b`) less `execution` (`a`): of one execution and itself there are none."""
        prices = prices_of(query.prices, usual)
        a, b = [await _side(store, namespace, execution_id(text), prices) for text in (execution, other)]
        diverged = difference.diverged(a.entries, b.entries)
        return Comparison(
            a=a.shown,
            b=b.shown,
            prices=prices.name,
            difference=difference.subtracted(a.quantities, b.quantities),
            diverged=None if diverged is None else _divergence(diverged),
            tasks=[_task(one) for one in difference.tasks(a.runs, b.runs)],
            definition=await _definition(store, namespace, a.of, b.of),
            complete=max(len(a.entries), len(b.entries)) < MOST_ENTRIES,
        )

    return router


async def _side(store: Store, namespace: str, execution: UUID, prices: Prices) -> _Side:
    of = await ran(store, namespace, execution)
    if of is None:
        await require_known(store, namespace, execution)
        raise NotFound(f"of execution {execution} only log lines are known yet; there is nothing to compare")
    here = (executions.c.execution == execution) & (executions.c.namespace == namespace)
    rows = await store.ask(select(*_SPENT).where(here))
    spent: dict[str, Any] = dict(rows[0]) if rows else {}
    phase = spent.pop("phase", None)
    quantities = {to_camel(name): float(value) for name, value in spent.items() if value is not None}
    quantities["price"] = price(await quantities_of(store, namespace, execution), prices)
    return _Side(
        execution,
        of,
        phase,
        quantities,
        await runs_of(store, namespace, execution),
        await entries_of(store, namespace, execution),
    )


async def _definition(store: Store, namespace: str, a: Ran, b: Ran) -> DefinitionDifference | None:
    if (a.workflow, a.version) == (b.workflow, b.version):
        return None
    outlines = [await outline_of(store, namespace, of) for of in (a, b)]
    if outlines[0] is None or outlines[1] is None:
        return None
    return DefinitionDifference(**asdict(difference.outlines(outlines[0], outlines[1])))


def _divergence(found: difference.Diverged) -> Divergence:
    sides = [None if side is None else ReachedTask(**asdict(side)) for side in (found.a, found.b)]
    return Divergence(a=sides[0], b=sides[1])


def _task(found: difference.Task) -> ComparedTask:
    one = found.a or found.b
    assert one is not None
    return ComparedTask(
        name=one.name,
        a=_of_task(found.a),
        b=_of_task(found.b),
        difference={to_camel(name): value for name, value in found.difference.items()},
    )


def _of_task(runs: Runs | None) -> TaskSide | None:
    if runs is None:
        return None
    error = read_error(runs.error)
    names = ("reference", "status", "statuses", "runs", "retries", "duration_ms", "active_ms")
    return TaskSide(**{name: getattr(runs, name) for name in names}, error=None if error is None else error.as_json())
