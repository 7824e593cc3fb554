"""Executions that repeat another one: restarted from the beginning, retried from the task that failed, forked from any
task. Each is an execution of its own, which names its origin; the origin's outcome stays what it is.

What is taken over of the past is read from the journal, and written into that of the new execution, before its row is:
a process that dies in between leaves records that nobody asks for, never an execution without its past.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from lowtide.engine import Host
from lowtide.errors import Conflict, LowtideError, NotFound
from lowtide.model.base import JSON
from lowtide.model.plan import Plan
from lowtide.model.state import Amendment, Seed
from lowtide.runtime import chance
from lowtide.runtime.forking import Cut, check_effects, entry_of, failure_of, past
from lowtide.runtime.forking import Past as Played
from lowtide.wire.records import Claimed, JournalRecord

from .nouns import Deployed, Execution, Repeating, millis
from .ports import Ingest
from .requests import wrong_input
from .starting import Origin, Past, Started, Wanted, start_all
from .store import executions, workflows
from .store.keys import hashed
from .work import Desk, Work

__all__ = ["LATEST_VERSION", "Prepared", "Repeats", "Wish", "begin"]

LATEST_VERSION: Final = "latest"

_PAGE: Final = 500
_MOST_RECORDS: Final = 50_000
_MOST_BYTES: Final = 256 * 1024 * 1024
"""Of large data: all of it is in memory while the journal is played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How an execution is to be repeated. ``version``: the origin's by default, :data:`LATEST_VERSION`, or a name.

    ``task``, of a fork: its name, reference or entry. ``input`` replaces the workflow's input, ``amendment`` what the
    task gets. ``dedupe``: once per key; a retry has one of its own.
    """

    kind: Repeating
    version: str | None = None
    task: str | None = None
    input: JSON | msgspec.UnsetType = msgspec.UNSET
    amendment: Amendment = field(default_factory=Amendment)
    dedupe: str | None = None
    body_digest: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A start that is ready to be committed; ``earlier``: its key has started this one before."""

    wanted: Wanted
    earlier: Execution | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    origin: Execution
    version: Deployed
    plans: tuple[Plan, Plan]
    earlier: Execution | None
    now: datetime


class Repeats:
    def __init__(self, desk: Desk, ingest: Ingest) -> None:
        self._desk = desk
        self._ingest = ingest

    async def repeat(self, namespace: str, execution: str, wish: Wish) -> Started:
        """Start an execution that repeats this one.

        Raises :class:`lowtide.errors.NotFound`, :class:`lowtide.errors.Conflict` where that cannot work and says why,
        ``InvalidInput`` where the workflow's schema refuses the input, ``Unavailable``.
        """
        prepared = await self.prepare(namespace, execution, wish)
        return await self._desk.do(lambda work: begin(work, prepared))

    async def prepare(self, namespace: str, execution: str, wish: Wish) -> Prepared:
        """All but the start itself: see :func:`begin`."""
        found = await self._desk.do(lambda work: _look(work, namespace, execution, wish))
        given = found.origin.begun.input if wish.input is msgspec.UNSET else wish.input
        wanted = Wanted(
            found.version,
            given,
            dedupe=_dedupe(found, wish),
            body_digest=wish.body_digest,
            traceparent=wish.traceparent or found.origin.traceparent,
            echo=found.origin.echo,
            origin=Origin(found.origin.id, wish.kind),
            past=None if wish.kind == "restart" or found.earlier else await self._past(found, wish),
        )
        return Prepared(wanted, found.earlier)

    async def _past(self, found: _Found, wish: Wish) -> Past:
        """Read the origin's journal, find where to go on, and give the new execution its journal."""
        records = await self._journal(found.origin)
        seed, cut, played = await asyncio.to_thread(_played, found, wish, records, self._desk.host)
        for record in records[: cut.keep]:
            # What the copied records refer to is content of the new execution from now on.
            await self._desk.claims.claimed_entry(found.origin.namespace, seed.execution, record.entry)
        await self._ingest.fork_journal(found.origin.id, cut.keep, seed.execution, played.entry)
        return Past(seed, played.state, cut.keep + 1, cut.task, played.facts)

    async def _journal(self, origin: Execution) -> list[JournalRecord]:
        """All records, whole."""
        records: list[JournalRecord] = []
        size, more = 0, True
        while more:
            page, more = await self._ingest.journal(origin.id, len(records), _PAGE)
            for record in page:
                size += record.entry.event.payload.size if isinstance(record.entry.event, Claimed) else 0
                if size > _MOST_BYTES:
                    raise Conflict(f"its journal has more than {_MOST_BYTES} bytes; restart it instead")
                entry = await self._desk.claims.entry(origin.namespace, origin.id, record.entry)
                records.append(msgspec.structs.replace(record, entry=entry))
            if len(records) > _MOST_RECORDS:
                raise Conflict(f"its journal has more than {_MOST_RECORDS} records; restart it instead")
        return records


async def begin(work: Work, prepared: Prepared) -> Started:
    """Start what was prepared, once per key. Raises :class:`lowtide.errors.Conflict` where it cannot be any more."""
    wanted = prepared.wanted
    version = await workflows.deployed_of(work.tx, wanted.version.id, hold=True)
    if version is None:
        raise _removed(wanted.version.version)
    if prepared.earlier is not None:
        return _again(Started(prepared.earlier, fresh=False), wanted)
    if wanted.past is None:
        wrong = await wrong_input(work, version, wanted.given)
        if wrong is not None:
            raise wrong
    (started,) = await start_all(work, [replace(wanted, version=version)], await executions.clock(work.tx))
    if isinstance(started, LowtideError):
        raise started
    return _again(started, wanted)


def _again(started: Started, wanted: Wanted) -> Started:
    """A second retry of the same execution is the first one, as long as that has not ended."""
    retried = wanted.origin is not None and wanted.origin.kind == "retry"
    if retried and not started.fresh and started.execution.ended:
        raise Conflict(
            f"it was retried as execution {started.execution.id}, which has {started.execution.phase}: "
            "retry that one, or fork this one"
        )
    return started


async def _look(work: Work, namespace: str, execution: str, wish: Wish) -> _Found:
    origin = await executions.find(work.tx, namespace, execution)
    if origin is None:
        raise NotFound(f"there is no execution {execution} in namespace {namespace}")
    if not origin.ended:
        raise Conflict(f"execution {origin.id} has not ended: it is {origin.phase}; cancel it first")
    if wish.kind == "retry" and origin.phase != "faulted":
        raise Conflict(f"execution {origin.id} has {origin.phase}: only what has faulted can be retried; restart it")
    version = await _version_of(work, origin, wish.version)
    plans = await work.plans.get(work.tx, origin.workflow_version), await work.plans.get(work.tx, version.id)
    now = await executions.clock(work.tx)
    found = _Found(origin, version, plans, None, now)
    dedupe = _dedupe(found, wish)
    if dedupe is None:
        return found
    earlier = await executions.by_dedupe(work.tx, namespace, version.name, dedupe)
    if earlier is not None and wish.body_digest is not None and earlier.body_digest != wish.body_digest:
        raise Conflict(f"this Idempotency-Key started execution {earlier.id} by another request; use a new key")
    return _Found(origin, version, plans, earlier, now)


def _dedupe(found: _Found, wish: Wish) -> str | None:
    return hashed("retry", found.origin.id, str(found.version.id)) if wish.kind == "retry" else wish.dedupe


async def _version_of(work: Work, origin: Execution, wanted: str | None) -> Deployed:
    if wanted is None:
        own = await workflows.deployed_of(work.tx, origin.workflow_version)
        if own is None:
            raise _removed(origin.version)
        return own
    name = None if wanted == LATEST_VERSION else wanted
    version, _ = await workflows.find_deployed(work.tx, origin.namespace, origin.workflow, name)
    if version is None:
        suffix = f" of version {name}" if name else ""
        raise NotFound(f"there is no workflow {origin.namespace}/{origin.workflow}{suffix}; deploy it first")
    return version


def _removed(version: str) -> Conflict:
    return Conflict(f"version {version} was removed; name another one, for example {LATEST_VERSION!r}")


def _played(found: _Found, wish: Wish, records: list[JournalRecord], host: Host) -> tuple[Seed, Cut, Played]:
    """Where it goes on, and the state there. Pure, but it may take long."""
    old, new = found.plans
    begun = found.origin.begun
    if wish.kind == "retry":
        cut = failure_of(old, begun, records, host)
    else:
        assert wish.task is not None, "a fork names its task"
        cut = entry_of(old, begun, records, host, wish.task)
    kept = records[: cut.keep]
    amended = wish.amendment != Amendment()
    seed = msgspec.structs.replace(
        begun,
        input=begun.input if wish.input is msgspec.UNSET else wish.input,
        amendments={**begun.amendments, cut.task: wish.amendment} if amended else begun.amendments,
    )
    if new is not old:
        check_effects((old, begun), (new, seed), kept, host, f"version {found.version.version}")
    elif wish.input is not msgspec.UNSET:
        check_effects((old, begun), (new, seed), kept, host, "what follows from the other input")
    seed = msgspec.structs.replace(seed, execution=chance.new_execution_id(millis(found.now)))
    played = past(new, seed, kept, host, found.origin.id, millis(found.now))
    if amended and cut.task in played.state.amendments and not played.state.more:
        raise Conflict(f"what is new does not come to {cut.task}, whose data is to be changed; fork from another task")
    return seed, cut, played
