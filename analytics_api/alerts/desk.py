"""What alerts work with: the store to write, the questions, the clock, the ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lowtide.clients.broker import Broker
from lowtide.runtime.clock import Clock
from lowtide.storage.database import Connection, Database
from lowtide.telemetry.measures import Count, Measure

from ..store import Store

if TYPE_CHECKING:
    from lowtide.effects.web import Web

__all__ = ["Desk"]

_ANSWER: Final = 65_536
"""Bytes that are read of a webhook's answer, at most."""


class Desk:
    """``delay``: seconds that ingest may need to write what happened. ``patience``: seconds for which it is tried to
    tell somebody. Without ``broker`` no events are told, and orchestrate is not asked to ask."""

    def __init__(
        self,
        database: Database,
        store: Store,
        clock: Clock,
        *,
        broker: Broker | None,
        loopback: bool,
        delay: float,
        patience: float,
    ) -> None:
        self.looked = Count("lowtide_alert_rules_looked_at_total", "Looks at alert rules")
        self.deliveries = Count(
            "lowtide_alert_deliveries_total", "Attempts to tell of an alert, by how they ended", ("result",)
        )
        self.database = database
        self.store = store
        self.clock = clock
        self.broker = broker
        self.delay = delay
        self.patience = patience
        self._loopback = loopback
        self._web: Web | None = None

    @property
    def web(self) -> Web:
        """With the guard of everything that goes out: no metadata service, no loopback unless it is allowed."""
        if self._web is None:
            from lowtide.effects.web import Web  # most processes never tell anybody anything

            self._web = Web(allow_loopback=self._loopback, limit=_ANSWER, connect_timeout=5.0, read_timeout=10.0)
        return self._web

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.looked, self.deliveries)

    async def rows(self, statement: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """All rows of one query. Raises :class:`lowtide.errors.Unavailable`."""

        async def ask(connection: Connection) -> Sequence[Sequence[Any]]:
            return await (await connection.execute(statement.encode(), values)).fetchall()

        return await self.database.run(ask)

    async def close(self) -> None:
        if self._web is not None:
            await self._web.close()
        if self.broker is not None:
            await self.broker.close()
        await self.database.close()
