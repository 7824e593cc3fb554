"""What happens, as it happens: server-sent events of an execution, of all executions, and of log lines.

Each event's id is a keyset cursor, so that ``Last-Event-ID`` goes on where a stream broke off. The store is asked once
a second. Reports arrive out of order by a little: what is younger than :data:`LAG` is not shown yet, and what comes
later than that is in the lists, but not here. A stream ends by itself before Knative would cut it, and when the server
stops; clients connect again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Select, select, tuple_
from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput, LowtideError, Unavailable
from lowtide.model.phase import ENDED
from lowtide.runtime.clock import Clock
from lowtide.storage.analytics import executions, task_facts

from . import cursors
from .answers import Execution
from .executions import members, require_known
from .logs import found_line, found_lines, line_key
from .parameters import LogSearchQuery, LogStreamQuery, Namespace, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["LAG", "Streams", "routes"]

LAG: Final = timedelta(seconds=2)
_PAUSE: Final = 1.0
_LONGEST: Final = 240.0
_SILENCE: Final = 15.0
"""Seconds after which a comment is sent, so that nobody on the way takes the connection for dead."""

_AT_ONCE: Final = 500
_MOST_STREAMS: Final = 100

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events: `id` is for `Last-Event-ID`, `data` is JSON",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

LastEventId = Annotated[
    str | None, Header(max_length=2000, description="The `id` of the last event that was seen: goes on after it.")
]


@dataclass(frozen=True, slots=True)
class _Event:
    id: str | None
    name: str
    data: Any

    def __bytes__(self) -> bytes:
        known = "" if self.id is None else f"id: {self.id}\n"
        return f"{known}event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


Poll = Callable[[], Awaitable[list[_Event]]]
"""What has happened since it was last asked; an event called ``end`` is the last one."""


class Streams:
    """Those that are open in this process. ``end()`` lets all of them end within a second."""

    def __init__(self) -> None:
        self._open = 0
        self._ending = False

    def end(self) -> None:
        self._ending = True

    async def answer(self, poll: Poll) -> StreamingResponse:
        """Raises :class:`lowtide.errors.Unavailable` where too many are open."""
        if self._open >= _MOST_STREAMS:
            raise Unavailable(f"{_MOST_STREAMS} streams are open here already; try again later, or ask the lists")
        first = await poll()  # what is wrong with the question must be said before the answer begins
        return StreamingResponse(
            self._sent(first, poll), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def _sent(self, found: list[_Event], poll: Poll) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        until, spoke = loop.time() + _LONGEST, loop.time()
        self._open += 1
        try:
            yield b"retry: 1000\n\n"
            while True:
                for event in found:
                    yield bytes(event)
                    spoke = loop.time()
                if self._ending or loop.time() > until or (found and found[-1].name == "end"):
                    return
                if loop.time() - spoke > _SILENCE:
                    yield b": nothing new\n\n"
                    spoke = loop.time()
                if len(found) < _AT_ONCE:
                    await asyncio.sleep(_PAUSE)
                found = await poll()
        except LowtideError:
            return  # the store is away: who connects again is told so
        finally:
            self._open -= 1


def routes(store: Store, clock: Clock, streams: Streams) -> APIRouter:
    router = APIRouter(tags=["streams"], responses=RESPONSES)
    shown: dict[str, Any] = {"response_class": StreamingResponse, "responses": _ANSWER}

    @router.get("/executions/{execution}/stream", summary="The tasks of one execution, live", **shown)
    async def of_one(namespace: Namespace, execution: str, last_event_id: LastEventId = None) -> StreamingResponse:
        """`task` for each change of a task's status, and `end` with the execution once it has ended."""
        wanted = execution_id(execution)
        after = cursors.read(last_event_id, cursors.TaskKey)
        await require_known(store, namespace, wanted)
        return await streams.answer(_OfOne(store, namespace, wanted, after.number if after else -1).poll)

    @router.get("/stream", summary="The executions of a namespace, live", **shown)
    async def of_all(namespace: Namespace, last_event_id: LastEventId = None) -> StreamingResponse:
        """`created` and `ended`, with the execution as it is in lists; from now on, or after `Last-Event-ID`."""
        after = cursors.read(last_event_id, cursors.EventsKey)
        return await streams.answer(_OfAll(store, clock, namespace, after).poll)

    @router.get("/logs/stream", summary="Log lines, live", **shown)
    async def of_lines(
        namespace: Namespace, query: Annotated[LogStreamQuery, Query()], last_event_id: LastEventId = None
    ) -> StreamingResponse:
        """`line`, oldest first; since `from`, else from now on, or after `Last-Event-ID`."""
        after = cursors.read(last_event_id, cursors.LineKey)
        if after is not None and after.order != "asc":
            raise InvalidInput("Last-Event-ID is of a list in another order; give the `id` of an event of this stream")
        return await streams.answer(_OfLines(store, clock, namespace, query, after).poll)

    return router


def _settled(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now() / 1000, UTC) - LAG


class _OfOne:
    def __init__(self, store: Store, namespace: str, execution: UUID, after: int) -> None:
        self._store, self._namespace, self._execution, self._after = store, namespace, execution, after

    async def poll(self) -> list[_Event]:
        # The execution first: facts that are read after it had ended are all that there are.
        here = (executions.c.execution == self._execution) & (executions.c.namespace == self._namespace)
        known = await self._store.ask(select(executions).where(here))
        facts = await self._store.ask(self._facts())
        found = [_Event(cursors.of(cursors.TaskKey(row["number"])), "task", _task(row)) for row in facts]
        if facts:
            self._after = facts[-1]["number"]
        elif known and known[0]["phase"] in ENDED:
            found.append(_Event(None, "end", _execution(known[0])))
        return found

    def _facts(self) -> Select[Any]:
        table = task_facts.c
        here = (table.execution == self._execution) & (table.namespace == self._namespace)
        return select(task_facts).where(here, table.number > self._after).order_by(table.number).limit(_AT_ONCE)


class _OfAll:
    def __init__(self, store: Store, clock: Clock, namespace: str, after: cursors.EventsKey | None) -> None:
        self._store, self._clock, self._namespace = store, clock, namespace
        begin = _settled(clock)
        self._key = after or cursors.EventsKey((begin, UUID(int=0)), (begin, UUID(int=0)))

    async def poll(self) -> list[_Event]:
        until = _settled(self._clock)
        created = await self._store.ask(self._since(executions.c.created_at, self._key.created, until))
        ended = await self._store.ask(self._since(executions.c.ended_at, self._key.ended, until))
        happened = [(row["created_at"], "created", row) for row in created]
        happened += [(row["ended_at"], "ended", row) for row in ended]
        found = []
        for moment, name, row in sorted(happened, key=lambda one: one[0]):
            key = (moment, row["execution"])
            self._key = cursors.EventsKey(
                key if name == "created" else self._key.created, key if name == "ended" else self._key.ended
            )
            found.append(_Event(cursors.of(self._key), name, _execution(row)))
        return found

    def _since(self, column: Any, after: tuple[datetime, UUID], until: datetime) -> Select[Any]:
        here = (executions.c.namespace == self._namespace) & (column <= until)
        key = tuple_(column, executions.c.execution)
        return select(executions).where(here, key > tuple_(*after)).order_by(*key).limit(_AT_ONCE)


class _OfLines:
    def __init__(
        self, store: Store, clock: Clock, namespace: str, query: LogStreamQuery, after: cursors.LineKey | None
    ) -> None:
        self._store, self._clock, self._namespace = store, clock, namespace
        begin = query.from_ or (None if after is not None else _settled(clock))
        given = query.model_dump(exclude={"from_"})
        self._query = LogSearchQuery.model_validate({**given, "from": begin, "order": "asc"})
        self._after = after

    async def poll(self) -> list[_Event]:
        query = self._query.model_copy(update={"to": _settled(self._clock)})
        rows = await self._store.ask(found_lines(self._namespace, query, self._after).limit(_AT_ONCE))
        if rows:
            self._after = line_key("asc", rows[-1])
        return [
            _Event(cursors.of(line_key("asc", row)), "line", found_line(row).model_dump(mode="json", by_alias=True))
            for row in rows
        ]


def _execution(row: RowMapping) -> Any:
    return Execution(**members(row)).model_dump(mode="json", by_alias=True)


def _task(row: RowMapping) -> Any:
    shown = ("task", "name", "reference", "kind", "status", "attempt", "error")
    return {name: row[name] for name in shown} | {"at": row["at"].astimezone(UTC).isoformat()}
