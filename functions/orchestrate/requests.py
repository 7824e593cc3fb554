"""Starts that are asked for over HTTP; those that come at the same time are one transaction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from lowtide.errors import InvalidInput, LowtideError, NotFound
from lowtide.model.base import JSON
from lowtide.runtime.grouping import Grouped
from lowtide.telemetry.tracing import Tracer
from lowtide.wire.traces import read

from .nouns import Deployed
from .starting import Started, Wanted, plain_start, prepare_plain, request_key, start_all
from .store import groups
from .store.groups import Seen
from .work import Desk, Work

__all__ = ["StartRequest", "Starts", "wrong_input"]

_Name: TypeAlias = tuple[str, str, str | None]
"""Namespace and name of a workflow, and the version that is asked for."""

_MOST_SEEN: Final = 256


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a request says. ``version``: the one that was deployed last by default. ``key``: its ``Idempotency-Key``;
    ``digest``: that of its body. ``short_way``: as in :class:`.starting.Wanted`."""

    namespace: str
    name: str
    version: str | None
    given: JSON
    digest: str
    key: str | None = None
    traceparent: str | None = None
    short_way: float | None = None


class Starts:
    def __init__(self, desk: Desk, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._desk = desk
        self._seen: OrderedDict[_Name, Deployed] = OrderedDict()
        self._group: Grouped[StartRequest, Started] = Grouped(self._start)

    async def start(self, request: StartRequest) -> Started:
        """Raises :class:`lowtide.errors.NotFound` where there is no such workflow, ``InvalidInput`` where its schema
        refuses the input, ``Conflict`` where the key came before with another body."""
        if self._tracer is None:
            return await self._group.ask(request)
        with self._tracer.span(f"start {request.name}", read(request.traceparent)) as span:
            started = await self._group.ask(replace(request, traceparent=span.trace.text))
            span.note(execution=started.execution.id)
            return started

    async def _start(self, requests: Sequence[StartRequest]) -> list[Started | LowtideError]:
        """Nearly all start without a transaction; what is left out is decided in one."""
        plainly = await self._start_plainly(requests)
        left = [request for request, answer in zip(requests, plainly, strict=True) if answer is None]
        rest = iter(await self._desk.do(lambda work: _start_all(work, left)) if left else ())
        return [next(rest) if answer is None else answer for answer in plainly]

    async def _start_plainly(self, requests: Sequence[StartRequest]) -> list[Started | None]:
        """Those that nothing holds back, whose plan is at hand, and whose key is new; their version is looked at first,
        unless that was done a moment ago, and again when they are stored."""
        names = [(request.namespace, request.name, request.version) for request in requests]
        database, work = self._desk.database, self._desk.prepare()
        versions, now, seen = await self._looked_up(names)
        wanted: dict[int, Wanted] = {}
        for number, (request, version) in enumerate(zip(requests, versions, strict=True)):
            if version is None or not self._desk.plans.at_hand(version.id):
                continue
            checked = await _checked(work, request, version)
            if isinstance(checked, Wanted):
                wanted[number] = checked
        prepared = await prepare_plain(work, wanted, now)
        if not prepared:
            return [None] * len(requests)
        begun = list(prepared.values())
        as_seen = (
            [Seen(requests[number].version, wanted[number].version.limits) for number in prepared] if seen else None
        )
        added, later = await database.alone(
            lambda connection: groups.begin(connection, begun, if_deployed=True, seen=as_seen)
        )
        if later is not None:
            database.lately.heard(later)
        for number, one in prepared.items():
            if one.execution.id not in added:
                self._seen.pop(names[number], None)
        answers = {
            number: plain_start(work, wanted[number], one)
            for number, one in prepared.items()
            if one.execution.id in added
        }
        self._desk.afterwards(work.after)
        return [answers.get(number) for number in range(len(requests))]

    async def _looked_up(self, names: Sequence[_Name]) -> tuple[list[Deployed | None], datetime, bool]:
        """The versions that are meant, the database's time, and whether both are only what was seen a moment ago."""
        database = self._desk.database
        lately = database.lately.now()
        if lately is not None and all(name in self._seen for name in names):
            return [self._seen[name] for name in names], lately, True
        versions, now = await database.alone(lambda connection: groups.find_deployed(connection, names))
        database.lately.heard(now)
        for name, version in zip(names, versions, strict=True):
            self._seen.pop(name, None)
            if version is not None and not version.held:
                self._seen[name] = version
        while len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
        return versions, now, False


async def _start_all(work: Work, requests: Sequence[StartRequest]) -> list[Started | LowtideError]:
    names = [(request.namespace, request.name, request.version) for request in requests]
    versions, now = await groups.find_deployed(work.tx, names)
    checked = [await _checked(work, *pair) for pair in zip(requests, versions, strict=True)]
    started = iter(await start_all(work, [one for one in checked if isinstance(one, Wanted)], now))
    return [next(started) if isinstance(one, Wanted) else one for one in checked]


async def _checked(work: Work, request: StartRequest, version: Deployed | None) -> Wanted | LowtideError:
    """An input that the workflow's own schema refuses starts nothing."""
    if version is None:
        suffix = f" of version {request.version}" if request.version else ""
        return NotFound(f"there is no workflow {request.namespace}/{request.name}{suffix}; deploy it first")
    wrong = await wrong_input(work, version, request.given)
    if wrong is not None:
        return wrong
    return Wanted(
        version,
        request.given,
        dedupe=None if request.key is None else request_key(request.key),
        body_digest=None if request.key is None else request.digest,
        traceparent=request.traceparent,
        short_way=request.short_way,
    )


async def wrong_input(work: Work, version: Deployed, given: JSON) -> LowtideError | None:
    """Why the workflow's schema refuses the input; ``None`` where it does not."""
    plan = await work.plans.get(work.tx, version.id)
    schema = plan.input.schema if plan.input else None
    if schema is None or schema.document is None:
        return None
    try:
        wrong = work.host.violations(schema.document, given)
    except LowtideError as error:
        return error
    if not wrong:
        return None
    named = f"{version.namespace}/{version.name}"
    return InvalidInput(f"the input does not fit the schema of {named}: {'; '.join(wrong)}")
