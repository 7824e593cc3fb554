"""Reports into the analytics store: gathered for a moment and while the previous write runs, bounded, never in the
journal's way.

When the store is behind or away, new reports are dropped and counted; the counts are written as soon as it is back.
Changes of executions are different in one thing: their sender is told, and sends them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from lowtide.errors import InvalidInput, Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import UNFIT, Connection, Database
from lowtide.telemetry.measures import Count

from .outlining import put_outline
from .rows import DROPPED, FACTS, KINDS, Kind
from .writing import Rows, columns_of, write_reports

__all__ = ["Projector"]

log = logging.getLogger("lowtide.ingest.projecting")

_MOST_ROWS: Final = 50_000
_MOST_BYTES: Final = 64 * 1024 * 1024
_LONGEST_DELAY: Final = 5.0
_GATHER: Final = 0.3
"""Seconds that reports wait for others: a write costs nearly the same for one as for hundreds."""

_LONGER: Final = 0.7
"""Seconds that they wait on top of that while many come: what a write costs is then mostly rows that all of them change
(rollups), and executions that change again a moment later. Twice as many together cost half as much each."""

_PAUSE: Final = 0.3
"""Seconds without a further report after which no more are expected."""

_MANY: Final = 50
_ENOUGH: Final = 5_000
"""Reports that came in the first moment and are many; that are enough, so that nothing is waited for."""

_MOST_LOST: Final = 1_000_000_000
"""Reports that a client may have dropped since its last batch: what says more is wrong, and would spoil every sum."""

_FEW: Final = 100
"""Reports that a store which takes no more in time is too slow for, or locked: more of them are tried in parts."""

_NAMES: Final = frozenset(kind.name for kind in KINDS)

_Answer = asyncio.Future[list[pb.Refusal]]


@dataclass
class _Gathered:
    """What the next write takes. ``size`` in bytes as it came over the wire."""

    rows: Rows = field(default_factory=dict)
    count: int = 0
    size: int = 0
    answers: list[tuple[list[pb.ExecutionChange], _Answer]] = field(default_factory=list)


class Projector:
    """Takes the reports of batches and writes them when it can."""

    def __init__(
        self, database: Database, *, gather: float = _GATHER, longer: float = _LONGER, pause: float = _PAUSE
    ) -> None:
        """Seconds that reports wait for others (``gather``), and on top of that while many come (``longer``), until for
        ``pause`` seconds none does."""
        self.stored = Count("lowtide_ingest_reports_total", "Reports written to the analytics store", ("kind",))
        self.dropped = Count("lowtide_ingest_dropped_total", "Reports lost before or in here, by who", ("by", "kind"))
        self.pushed_back = Count("lowtide_ingest_pushed_back_total", "Changes sent back, to come again")
        self._database = database
        self._next = _Gathered()
        self._writing: _Gathered | None = None
        self._lost: Counter[tuple[str, str]] = Counter()
        self._gather_for, self._longer, self._pause = gather, longer, pause
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._away = False

    def takes(self, batch: pb.Batch) -> bool:
        """Whether there is room for all that ``batch`` reports, and the store takes what it is given."""
        count = len(batch.facts) + len(batch.logs) + len(batch.metrics) + len(batch.usages)
        return self.up and self.rows + count <= _MOST_ROWS and self.size + batch.ByteSize() <= _MOST_BYTES

    def offer(self, batch: pb.Batch) -> _Answer | None:
        """Take what ``batch`` reports; with changes in it, a future of the refusals (those to send again)."""
        for name, told in batch.dropped.items():
            what, count = name if name in _NAMES else "other", min(max(told, 0), _MOST_LOST)
            self._lost[batch.owner, what] += count
            self.dropped.add("client", what, by=count)
        gathered = self._next
        size = batch.ByteSize()
        held = gathered.size + (self._writing.size if self._writing else 0)
        room = held == 0 or held + size <= _MOST_BYTES
        for kind in KINDS:
            reports = [*batch.facts, *_told(batch)] if kind is FACTS else getattr(batch, kind.name)
            if reports and room and gathered.count + len(reports) <= _MOST_ROWS:
                self._gather(kind, reports)
            elif reports:
                self._lose(kind.name, len(reports))
                room = False
        if gathered.count or self._lost:
            gathered.size += size if room else 0
            self._arrived.set()
            self._idle.clear()
        if gathered.count >= _ENOUGH:
            self._enough.set()
        return self._answer(batch, room) if batch.changes else None

    def _gather(self, kind: Kind, reports: Iterable[Any]) -> None:
        rows = self._next.rows.setdefault(kind, [])
        for report in reports:
            try:
                rows.append(kind.row(report))
            except (ValueError, OverflowError, InvalidInput) as error:
                self._lose("invalid", 1)
                log.warning("dropped a malformed report", extra={"kind": kind.name, "reason": str(error)})
            else:
                self._next.count += 1

    def _answer(self, batch: pb.Batch, room: bool) -> _Answer:
        answer: _Answer = asyncio.get_running_loop().create_future()
        changes = list(batch.changes)
        if not room or self._away:
            self.pushed_back.add(by=len(changes))
            answer.set_result(_behind(changes))
        else:
            self._next.answers.append((changes, answer))
        return answer

    def _lose(self, what: str, count: int) -> None:
        self._lost["ingest", what] += count
        self.dropped.add("ingest", what, by=count)

    async def outline(self, told: pb.WorkflowOutline) -> None:
        """Keep what a version is made of. Raises as :func:`.outlining.put_outline`."""
        await put_outline(self._database, told)

    @property
    def up(self) -> bool:
        """Whether the store took what was last written."""
        return not self._away

    @property
    def rows(self) -> int:
        """Reports that are not written yet."""
        return self._next.count + (self._writing.count if self._writing else 0)

    @property
    def size(self) -> int:
        """Their bytes as they came over the wire."""
        return self._next.size + (self._writing.size if self._writing else 0)

    async def drained(self) -> None:
        """Returns once nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        delay = 0.1
        while True:
            if not self._next.count and not self._lost:
                self._arrived.clear()
                self._idle.set()
                await self._arrived.wait()
            await self._others()
            gathered, self._next = self._next, _Gathered()
            self._enough.clear()
            self._writing = gathered
            while not await self._written(gathered):
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
            delay = 0.1
            self._writing = None

    async def _others(self) -> None:
        """Wait for what comes with what is there: while many come, until there are enough, or no more."""
        await asyncio.sleep(self._gather_for)
        loop = asyncio.get_running_loop()
        last, known = loop.time() + self._longer, 0
        while _MANY <= self._next.count < _ENOUGH and self._next.count > known and loop.time() < last:
            known = self._next.count
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._enough.wait()

    async def _written(self, gathered: _Gathered) -> bool:
        """Whether it was; who waits for an answer gets one in either case."""
        try:
            await self._write(gathered.rows)
            lost = Counter(self._lost)
            await self._write_lost(lost)
            self._lost -= lost
            for kind, given in gathered.rows.items():
                self.stored.add(kind.name, by=len(given))
            self._away = False
        except Unavailable as error:
            self._away = True
            log.warning("history waits", extra={"reason": str(error), "rows": gathered.count})
        for changes, answer in gathered.answers:
            if self._away:
                self.pushed_back.add(by=len(changes))
            if not answer.done():
                answer.set_result(_behind(changes) if self._away else [])
        gathered.answers.clear()
        return not self._away

    async def _write(self, rows: Rows) -> None:
        async def write(connection: Connection) -> None:
            await write_reports(connection, rows)

        try:
            await self._database.transaction(write)
        except UNFIT as error:
            if _count(rows) == 1:
                self._lose("invalid", 1)
                log.warning("dropped a report that no table takes", extra={"reason": str(error).strip()})
                return
        except Unavailable as error:
            if not isinstance(error.__cause__, psycopg.errors.QueryCanceled) or _count(rows) < _FEW:
                raise
            log.warning("wrote reports in parts: they took too long", extra={"rows": _count(rows)})
        else:
            return
        for half in _halves(rows):
            await self._write(half)

    async def _write_lost(self, lost: Counter[tuple[str, str]]) -> None:
        if not lost:
            return
        log.warning("reports were dropped", extra={"dropped": {f"{who} {what}": n for (who, what), n in lost.items()}})
        columns = columns_of((who, what, count) for (who, what), count in lost.items())
        await self._database.transaction(lambda connection: connection.execute(DROPPED, columns))


def _told(batch: pb.Batch) -> Iterable[pb.TaskFact]:
    """The facts that come with changes, and are as safe: who sends a change sends it again until it is stored."""
    return (fact for change in batch.changes for fact in change.facts)


def _count(rows: Rows) -> int:
    return sum(map(len, rows.values()))


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    """Two parts, so that what is poisonous is found in a few steps and the rest is written."""
    kinds = [kind for kind, given in rows.items() if given]
    if len(kinds) > 1:
        return {kinds[0]: rows[kinds[0]]}, {kind: rows[kind] for kind in kinds[1:]}
    given = rows[kinds[0]]
    middle = len(given) // 2
    return {kinds[0]: given[:middle]}, {kinds[0]: given[middle:]}


def _behind(changes: list[pb.ExecutionChange]) -> list[pb.Refusal]:
    detail = "the analytics store is behind or away"
    return [
        pb.Refusal(execution=change.subject.execution, epoch=change.epoch, reason=pb.Refusal.BEHIND, detail=detail)
        for change in changes
    ]
