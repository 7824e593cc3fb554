"""Starts that are asked for over HTTP; those that come at the same time are one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowtide.errors import InvalidInput, LowtideError, NotFound
from lowtide.model.base import JSON
from lowtide.runtime.grouping import Grouped

from .nouns import Deployed
from .starting import Started, Wanted, request_key, start_all
from .store import groups
from .work import Desk, Work

__all__ = ["StartRequest", "Starts", "wrong_input"]


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
    def __init__(self, desk: Desk) -> None:
        self._group: Grouped[StartRequest, Started] = Grouped(
            lambda requests: desk.do(lambda work: _start_all(work, requests))
        )

    async def start(self, request: StartRequest) -> Started:
        """Raises :class:`lowtide.errors.NotFound` where there is no such workflow, ``InvalidInput`` where its schema
        refuses the input, ``Conflict`` where the key came before with another body."""
        return await self._group.ask(request)


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
