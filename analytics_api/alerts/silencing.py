"""Silences: begin one, list them, end one early."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Body, Path, Query
from pydantic import Field

from lowtide.errors import NotFound

from .. import cursors
from ..answers import Answer, Page
from ..answers import Moment as Shown
from ..parameters import Moment, Name, Namespace, Paging
from ..problems import RESPONSES
from . import silences
from .desk import Desk
from .rules import NAME, By, Reason, Shape
from .silences import Silence

__all__ = ["routes"]


class SilenceGiven(Shape):
    rule: str | None = Field(None, pattern=NAME, description="Of this rule; of all, where it is left out.")
    group: dict[Name, Name] = Field({}, max_length=4, examples=[{"workflow": "fulfil-order"}])
    until: Moment = Field(description="When it ends by itself.", examples=["2027-01-01T12:00:00Z"])
    reason: Reason = Field(examples=["the payment provider is mended"])
    by: By = Field(description="Who silences.", examples=["ann"])


class SilenceShown(Answer):
    id: str
    rule: str | None
    group: dict[str, str]
    created_at: Shown
    until: Shown
    reason: str
    by: str


class SilencesQuery(Paging):
    limit: int = Field(50, ge=1, le=200)


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/alerts/silences", tags=["alerts"], responses=RESPONSES)

    @router.post("", summary="Silence alerts for a time", status_code=201)
    async def begin(namespace: Namespace, given: Annotated[SilenceGiven, Body()]) -> SilenceShown:
        """Nobody is told that they fire; they are seen as before. What still fires when it ends is told of then.

        Whoever was told before that an alert fires is told that it is over, silence or not.
        """
        now = datetime.fromtimestamp(desk.clock.now() / 1000, UTC)
        silence = Silence(uuid4(), given.rule, dict(given.group), now, given.until, given.reason, given.by)
        return _shown(await desk.database.transaction(lambda tx: silences.begin(tx, namespace, silence)))

    @router.get("", summary="Silences that are not over")
    async def page(namespace: Namespace, query: Annotated[SilencesQuery, Query()]) -> Page[SilenceShown]:
        after = cursors.read(query.cursor, cursors.SilenceKey)
        place = None if after is None else (after.until, after.silence)
        found = await desk.database.run(lambda tx: silences.page(tx, namespace, place, query.limit + 1))
        shown = found[: query.limit]
        key = cursors.SilenceKey(shown[-1].until, shown[-1].id) if len(found) > query.limit else None
        return Page(items=[_shown(one) for one in shown], next=cursors.of(key))

    @router.delete("/{silence}", summary="End a silence", status_code=204)
    async def end(namespace: Namespace, silence: Annotated[str, Path(max_length=100)]) -> None:
        try:
            wanted = UUID(silence)
        except ValueError as error:
            raise NotFound(f"there is no silence {silence!r}; ids are UUIDs") from error
        await desk.database.run(lambda tx: silences.end(tx, namespace, wanted))

    return router


def _shown(silence: Silence) -> SilenceShown:
    members: dict[str, Any] = {"id": str(silence.id), "group": silence.members, "by": silence.created_by}
    return SilenceShown(
        **members,
        rule=silence.rule,
        created_at=silence.created_at,
        until=silence.until,
        reason=silence.reason,
    )
