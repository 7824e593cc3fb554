"""What a namespace paid in a window, by workflow, version or day, and what it saved against always on.

Sums come from the rollups; how many invocations were active at once comes from the invocations themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import text

from lowtide.model.cost import PRESETS, Bill, Prices, Quantities, bill, price, price_of_tokens
from lowtide.model.rollup import SPENT
from lowtide.runtime.clock import Clock

from .answers import Answer
from .covering import rollup_window
from .executions import require_known
from .parameters import Filters, Moment, Name, Namespace, execution_id
from .problems import RESPONSES
from .spending import SPENT_COLUMNS, prices_of, quantities
from .store import Store

__all__ = ["PricesQuery", "quantities_of", "routes"]

_LONGEST: Final = timedelta(days=92)

_SPENT: Final = """
SELECT {by} AS what, {measures} FROM {cells}
 WHERE namespace = :namespace AND measure = ANY(:measures) {of_workflow}
 GROUP BY 1 ORDER BY 1 LIMIT :limit
"""

_ACTIVE: Final = """
SELECT coalesce(max(active), 0)::bigint AS peak,
       coalesce(sum(ceil(active::float8 / :share) * extract(epoch from later - moment)), 0)::float8 * 1000
         AS instance_ms
  FROM (
  SELECT moment, sum(change) OVER changes AS active, lead(moment) OVER changes AS later FROM (
    SELECT at - active_ms * interval '1 ms' AS moment, 1 AS change FROM usage
     WHERE namespace = :namespace AND at >= :first AND at < :last {of_workflow}
    UNION ALL
    SELECT at, -1 FROM usage WHERE namespace = :namespace AND at >= :first AND at < :last {of_workflow}) AS turns
  WINDOW changes AS (ORDER BY moment, change ROWS UNBOUNDED PRECEDING)
) AS running
"""

_OF_EXECUTION: Final = """
SELECT count(*) AS invocations, count(*) FILTER (WHERE cold_start) AS cold_starts,
       coalesce(sum(active_ms), 0) AS active_ms,
       coalesce(sum(cold_start_ms) FILTER (WHERE cold_start), 0) AS cold_start_ms,
       coalesce(sum(cpu_ms), 0) AS cpu_ms,
       coalesce(sum(memory_bytes / 1073741824.0 * active_ms / 1000), 0)::float8 AS gb_seconds,
       coalesce(sum(input_tokens), 0)::bigint AS input_tokens, coalesce(sum(output_tokens), 0)::bigint AS output_tokens
  FROM usage WHERE execution = :execution AND namespace = :namespace
"""

_OF_TASKS: Final = """
SELECT reference, max(name) AS name, max(effect) AS effect, count(*) FILTER (WHERE effect <> '') AS attempts,
       sum(active_ms) AS active_ms, sum(bytes_in)::bigint AS bytes_in, sum(bytes_out)::bigint AS bytes_out,
       sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens
  FROM task_facts WHERE execution = :execution AND namespace = :namespace AND effect <> ''
 GROUP BY reference ORDER BY sum(active_ms) DESC, reference LIMIT 1000
"""

_GROUPS: Final = 1000

By = Literal["workflow", "version", "day"]

_BY: Final[dict[By, str]] = {
    "workflow": "workflow",
    "version": "workflow || ' ' || version",
    "day": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}


class CostQuery(Filters):
    by: By = Field("workflow", description="What the parts are.")
    workflow: Name | None = Field(None, description="This workflow only.", examples=["fulfil-order"])
    from_: Moment | None = Field(None, alias="from", description="Default: a day before `to`.")
    to: Moment | None = Field(None, description="Default: now. At most 92 days after `from`.")
    prices: str | None = Field(None, description=f"One of {', '.join(PRESETS)}; default: what this server is set to.")

    share: int | None = Field(None, ge=1, le=100_000, description="Invocations that are billed together at once.")


class PricesQuery(Filters):
    prices: str | None = Field(None, description=f"One of {', '.join(PRESETS)}; default: what this server is set to.")


class Part(Answer):
    """One workflow, version or day."""

    what: str = Field(examples=["fulfil-order"])
    price: float = Field(examples=[0.0021])
    quantities: dict[str, Any]


class Cost(Answer):
    """Sums of usage (``quantities``), their price, and that of the same traffic on a service that is always on."""

    since: str = Field(description="Whole minutes, or hours where the window is longer than two days.")
    until: str
    prices: dict[str, Any]
    quantities: dict[str, Any]
    bill: dict[str, Any] = Field(description="price, alwaysOn, saving, share, and the formula with its numbers")
    items: list[Part]


class TaskCost(Answer):
    """One task over all of its entries; its price is that of its tokens, and of the rest of the execution's the part
    that its effects were active for."""

    reference: str = Field(examples=["/do/0/reserve"])
    name: str = Field(examples=["reserve"])
    effect: str = Field(examples=["http"])
    attempts: int
    active_ms: float
    bytes_in: int
    bytes_out: int
    input_tokens: int
    output_tokens: int
    price: float


class ExecutionCost(Answer):
    prices: dict[str, Any]
    quantities: dict[str, Any]
    price: float
    tasks: list[TaskCost]


def routes(store: Store, clock: Clock, usual: Prices) -> APIRouter:
    router = APIRouter(tags=["cost"], responses=RESPONSES)

    @router.get("/cost", summary="What was paid, and what was saved")
    async def cost(namespace: Namespace, query: Annotated[CostQuery, Query()]) -> Cost:
        prices = prices_of(query.prices, usual)
        now = datetime.fromtimestamp(clock.now() / 1000, UTC)
        span = rollup_window(query.from_, query.to, now, minutes=timedelta(days=2), longest=_LONGEST)
        first, last = span.first, span.last
        values: dict[str, Any] = {"namespace": namespace, **span.values, "limit": _GROUPS, "measures": list(SPENT)}
        values |= {"first": first, "last": last}
        of_workflow = ""
        if query.workflow is not None:
            values["workflow"], of_workflow = query.workflow, "AND workflow = :workflow"
        spent = _SPENT.format(by=_BY[query.by], measures=SPENT_COLUMNS, cells=span.cells, of_workflow=of_workflow)
        rows = await store.ask(text(spent), values)
        share = query.share or prices.share
        (active,) = await store.ask(text(_ACTIVE.format(of_workflow=of_workflow)), values | {"share": share})
        parts = {str(row["what"]): quantities(row) for row in rows}
        total = msgspec.structs.replace(_sum(list(parts.values())), instance_ms=active["instance_ms"])
        parts = {what: _shared(of, total) for what, of in parts.items()}
        seconds = (min(last, max(now, first)) - first).total_seconds()
        paid: Bill = bill(total, int(active["peak"]), seconds, prices)
        return Cost(
            since=_iso(first),
            until=_iso(last),
            prices=msgspec.to_builtins(prices),
            quantities=msgspec.to_builtins(total),
            bill=msgspec.to_builtins(paid),
            items=[
                Part(what=what, price=price(of, prices), quantities=msgspec.to_builtins(of))
                for what, of in sorted(parts.items())
            ],
        )

    @router.get("/executions/{execution}/cost", summary="What one execution and its tasks cost")
    async def one(namespace: Namespace, execution: str, query: Annotated[PricesQuery, Query()]) -> ExecutionCost:
        prices, wanted = prices_of(query.prices, usual), execution_id(execution)
        of = await quantities_of(store, namespace, wanted)
        if not of.invocations:
            await require_known(store, namespace, wanted)
        paid = price(of, prices)
        return ExecutionCost(
            prices=msgspec.to_builtins(prices),
            quantities=msgspec.to_builtins(of),
            price=paid,
            tasks=await _tasks(store, namespace, wanted, of, prices),
        )

    return router


async def quantities_of(store: Store, namespace: str, execution: UUID) -> Quantities:
    """What the invocations of one execution cost together, as far as they were reported."""
    rows = await store.ask(text(_OF_EXECUTION), {"namespace": namespace, "execution": execution})
    return quantities(rows[0])


async def _tasks(store: Store, namespace: str, execution: UUID, of: Quantities, prices: Prices) -> list[TaskCost]:
    rows = await store.ask(text(_OF_TASKS), {"namespace": namespace, "execution": execution})
    # Effects may be active at once: together they never get more than the execution cost.
    whole = max(of.active_ms + of.cold_start_ms, sum(row["active_ms"] for row in rows)) or 1.0
    shared = price(of, prices) - price_of_tokens(of.input_tokens, of.output_tokens, prices)

    own = [price_of_tokens(row["input_tokens"], row["output_tokens"], prices) for row in rows]
    return [
        TaskCost(**row, price=tokens + shared * row["active_ms"] / whole) for row, tokens in zip(rows, own, strict=True)
    ]


def _sum(parts: list[Quantities]) -> Quantities:
    members = [name for name in Quantities.__struct_fields__ if name != "instance_ms"]
    return Quantities(**{name: sum(getattr(part, name) for part in parts) for name in members})


def _shared(part: Quantities, total: Quantities) -> Quantities:
    """The part of the time in which instances were active that is as large as that of its invocations."""
    whole = total.active_ms or 1.0
    return msgspec.structs.replace(part, instance_ms=(total.instance_ms or 0.0) * part.active_ms / whole)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
