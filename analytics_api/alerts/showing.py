"""Alerts: which are pending, firing, resolved; one of them with what was told of it; acknowledging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query
from pydantic import Field

from lowtide.errors import Conflict, NotFound
from lowtide.storage.database import Connection

from .. import cursors
from ..answers import Answer, Moment, Page
from ..parameters import Namespace, Paging
from ..problems import RESPONSES
from .desk import Desk
from .rules import NAME, By, Note, Shape

__all__ = ["routes"]

State = Literal["pending", "firing", "resolved"]

_COLUMNS: Final = """id, rule, members, phase, since, fired_at, resolved_at, told_at, value, why,
       acknowledged_at, acknowledged_by, note"""

_PAGE: Final = f"""
SELECT {_COLUMNS} FROM alerts
 WHERE namespace = %(namespace)s
   AND (%(rule)s::text IS NULL OR rule = %(rule)s) AND (%(states)s::text[] IS NULL OR phase = ANY(%(states)s))
   AND (%(id)s::uuid IS NULL OR (since, id) < (%(since)s::timestamptz, %(id)s::uuid))
 ORDER BY since DESC, id DESC LIMIT %(limit)s
"""

_DELIVERIES: Final = """
SELECT event ->> 'id', event ->> 'type', url, state, attempts, CASE WHEN state = 'waiting' THEN next_at END,
       give_up_at, ended_at, problem
  FROM alert_deliveries WHERE alert = %(id)s ORDER BY id LIMIT 100
"""


class Alert(Answer):
    """What one rule found of one group, from its beginning to its end."""

    id: str = Field(examples=["6d1f0c9e-8a55-5a2e-9a7d-3d0f6a1b2c3d"])
    rule: str = Field(examples=["orders-fault"])
    group: dict[str, str] = Field(examples=[{"workflow": "fulfil-order"}])
    state: State
    since: Moment = Field(description="When it began to be bad.")
    fired_at: Moment | None
    resolved_at: Moment | None
    told_at: Moment | None = Field(description="When it was decided to tell that it fires; null while it is silenced.")
    value: float | None = Field(description="Of the last look.", examples=[7.0])
    why: str = Field(examples=["7 is above 5"])
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    note: str | None


class Delivery(Answer):
    """One event to one receiver; the same event has the same id however often it is sent."""

    event: str = Field(examples=["6d1f0c9e-8a55-5a2e-9a7d-3d0f6a1b2c3d:fired"])
    type: str
    to: str = Field(description="`event` for the Broker, else a webhook's URL.")
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    next_at: Moment | None
    give_up_at: Moment
    ended_at: Moment | None
    problem: str | None = Field(description="Why the last attempt failed, or it was given up.")


class AlertDetail(Alert):
    deliveries: list[Delivery]


class AlertsQuery(Paging):
    rule: str | None = Field(None, pattern=NAME, description="Of this rule only.", examples=["orders-fault"])
    state: list[State] = Field([], description="In one of these states.")
    limit: int = Field(50, ge=1, le=200)


class Acknowledgement(Shape):
    by: By = Field(description="Who looks after it.", examples=["ann"])
    note: Note = Field("", examples=["the payment provider is down"])


AlertId = Annotated[str, Path(description="The alert's id.", max_length=100)]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/alerts", tags=["alerts"], responses=RESPONSES)

    @router.get("", summary="Alerts, newest first")
    async def page(namespace: Namespace, query: Annotated[AlertsQuery, Query()]) -> Page[Alert]:
        """Those that are pending or fire now, and those of the last 90 days that are over."""
        after = cursors.read(query.cursor, cursors.AlertKey)
        values = {
            **{"namespace": namespace, "rule": query.rule, "states": query.state or None, "limit": query.limit + 1},
            **{"id": None if after is None else after.alert, "since": None if after is None else after.since},
        }
        rows = await desk.rows(_PAGE, values)
        shown = rows[: query.limit]
        key = cursors.AlertKey(shown[-1][4], shown[-1][0]) if len(rows) > query.limit else None
        return Page(items=[Alert(**_members(row)) for row in shown], next=cursors.of(key))

    @router.get("/{alert}", summary="One alert, and what was told of it")
    async def get(namespace: Namespace, alert: AlertId) -> AlertDetail:
        return await _detail(desk, namespace, _id(alert))

    @router.post("/{alert}/acknowledge", summary="Say that somebody looks after an alert")
    async def acknowledge(
        namespace: Namespace, alert: AlertId, given: Annotated[Acknowledgement, Body()]
    ) -> AlertDetail:
        """The first one counts, and is shown to all who come later. 409 where the alert is over already."""
        await desk.database.transaction(lambda tx: _acknowledge(tx, namespace, _id(alert), given))
        return await _detail(desk, namespace, _id(alert))

    return router


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(f"there is no alert {text[:80]!r}; ids are UUIDs") from error


async def _detail(desk: Desk, namespace: str, alert: UUID) -> AlertDetail:
    statement = f"SELECT {_COLUMNS} FROM alerts WHERE namespace = %(namespace)s AND id = %(id)s"
    rows = await desk.rows(statement, {"namespace": namespace, "id": alert})
    if not rows:
        raise _missing(namespace, alert)
    told = await desk.rows(_DELIVERIES, {"id": alert})
    return AlertDetail(**_members(rows[0]), deliveries=[_delivery(row) for row in told])


def _missing(namespace: str, alert: UUID) -> NotFound:
    return NotFound(f"there is no alert {alert} in namespace {namespace}")


def _members(row: Sequence[Any]) -> dict[str, Any]:
    names = ("id", "rule", "group", "state", "since", "fired_at", "resolved_at", "told_at", "value", "why")
    found = dict(zip((*names, "acknowledged_at", "acknowledged_by", "note"), row, strict=True))
    return found | {"id": str(found["id"])}


def _delivery(row: Sequence[Any]) -> Delivery:
    event, kind, url, state, attempts, next_at, give_up_at, ended_at, problem = row
    return Delivery(
        event=event,
        type=kind,
        to=url or "event",
        state=state,
        attempts=attempts,
        next_at=next_at,
        give_up_at=give_up_at,
        ended_at=ended_at,
        problem=problem,
    )


async def _acknowledge(connection: Connection, namespace: str, alert: UUID, given: Acknowledgement) -> None:
    statement = "SELECT phase, acknowledged_at FROM alerts WHERE namespace = %s AND id = %s FOR UPDATE"
    row = await (await connection.execute(statement, [namespace, alert])).fetchone()
    if row is None:
        raise _missing(namespace, alert)
    phase, acknowledged = row
    if acknowledged is not None:
        return
    if phase == "resolved":
        raise Conflict(f"the alert {alert} is over; there is nothing to look after any more")
    await connection.execute(
        """UPDATE alerts SET acknowledged_at = clock_timestamp(), acknowledged_by = %s, note = nullif(%s, '')
            WHERE id = %s""",
        [given.by, given.note, alert],
    )
