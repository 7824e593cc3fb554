"""What must be true afterwards, read from the stores and from what the shop has seen."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from lowtide.local.databases import Databases
from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.wire import json as wire
from lowtide.wire.records import Entry
from tests.kills.orders import expected
from tests.kills.shop import Call

__all__ = ["Ended", "Recorded", "read", "violations"]

_MOMENT: Final = 2_000
"""Milliseconds that a thawed process has to send what it had decided to send before it was frozen."""


@dataclass(frozen=True)
class Ended:
    """An execution as control knows it."""

    id: str
    phase: str
    output: Any
    why: Any = None


@dataclass(frozen=True)
class Recorded:
    """A record of the journal; ``command`` where it is an effect's result. ``at`` in milliseconds since 1970."""

    execution: str
    number: int
    epoch: int
    at: int
    command: str | None


def violations(
    many: int, ended: Sequence[Ended], journal: Sequence[Recorded], calls: Sequence[Call], thaws: Sequence[int]
) -> list[str]:
    """Every promise that was broken, with where."""
    return [
        *_lost_or_doubled(many, ended),
        *_wrong(ended),
        *_gaps(journal),
        *_twice_in_a_journal(journal),
        *_repeated(journal, calls, thaws),
    ]


def _lost_or_doubled(many: int, ended: Sequence[Ended]) -> Iterator[str]:
    shipped = Counter(one.output["shipped"] for one in ended if one.phase == "completed")
    if missing := set(range(many)) - set(shipped):
        yield f"{len(missing)} orders were lost: {sorted(missing)[:10]}"
    yield from (f"order {number} ended {times} times" for number, times in shipped.items() if times > 1)


def _wrong(ended: Sequence[Ended]) -> Iterator[str]:
    for one in ended:
        if one.phase != "completed":
            yield f"{one.id} is {one.phase}: {one.why}"
        elif one.output != expected(one.output.get("shipped", -1)):
            yield f"{one.id} ended with {one.output}"


def _gaps(journal: Iterable[Recorded]) -> Iterator[str]:
    last: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for record in sorted(journal, key=lambda record: (record.execution, record.number)):
        number, epoch = last[record.execution]
        if record.number != number + 1 or record.epoch < epoch:
            yield f"{record.execution}: record {record.number} of epoch {record.epoch} follows {number} of {epoch}"
        last[record.execution] = (record.number, record.epoch)


def _twice_in_a_journal(journal: Iterable[Recorded]) -> Iterator[str]:
    results = Counter((record.execution, record.command) for record in journal if record.command is not None)
    for (execution, command), times in results.items():
        if times > 1:
            yield f"{execution}: {times} results of {command}"


def _repeated(journal: Iterable[Recorded], calls: Iterable[Call], thaws: Sequence[int]) -> Iterator[str]:
    """No call comes after its result was committed, unless a frozen owner had decided to send it before."""
    known = {f"{record.execution}/{record.command}": record.at for record in journal if record.command is not None}
    for call in calls:
        late = call.at - known.get(call.key, call.at)
        if late > 0 and not any(0 <= call.at - thaw <= _MOMENT for thaw in thaws):
            yield f"{call.key} was called {late} ms after its result was committed"


def read(databases: Databases) -> tuple[list[Ended], list[Recorded]]:
    """Everything that control and journal know."""
    with psycopg.connect(databases.control) as connection:
        rows = connection.execute("SELECT id::text, phase, output, error, reason FROM executions").fetchall()
    ended = [
        Ended(id_, phase, json.loads(bytes(output)) if output else None, reason or (error and bytes(error)))
        for id_, phase, output, error, reason in rows
    ]
    query = "SELECT execution::text, number, epoch, (extract(epoch FROM at) * 1000)::bigint, body FROM journal"
    journal = []
    with psycopg.connect(databases.journal) as connection:
        for execution, number, epoch, at, body in connection.execute(query):
            event = wire.decode(bytes(body), Entry).event
            command = event.command if isinstance(event, EffectSucceeded | EffectFailed) else None
            journal.append(Recorded(execution, number, epoch, at, command))
    return ended, journal
