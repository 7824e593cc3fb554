"""Bulk operations: what is asked of many executions at once, at a rate."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Path, Request, Response

from lowtide.errors import InvalidInput, NotFound
from lowtide.model.base import JSON, Noun
from lowtide.model.phase import PHASES, Phase
from lowtide.wire import json
from lowtide.wire.mac import digest_of

from ..actions import ELIGIBLE, Options
from ..operating import Asked, ask, check_rate, stop
from ..starting import request_key
from ..store import operations
from ..store.deadletters import LetterFilter
from ..store.filtering import Filter
from ..store.operations import Operation
from . import shapes
from .deadletters import read_letter_filter
from .documents import JSON_BODY, json_body, reply
from .here import Here
from .pages import Cursor, Limit, NamespacePath, moment_of, named, page, read_cursor, time_text

__all__ = ["operation_shown", "read_filter", "routes"]

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MOST_RATE: Final = 1000.0
_RATE: Final = 10.0
_OF_LETTERS: Final = ("redrive", "discard")

_EXAMPLE: Final = {
    "action": "retry",
    "filter": {"workflow": "fulfil-order", "errorType": "communication", "endedAfter": "2026-11-23T00:00:00Z"},
    "rate": 5,
    "dryRun": True,
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A dry run: how many there are",
        "content": {"application/json": {"example": {"action": "retry", "matched": 42}}},
    },
    **shapes.problems(409, 415),
}

OperationPath = Annotated[
    str, Path(description="An operation's id, a UUIDv7", examples=["0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"])
]


def routes() -> APIRouter:
    router = APIRouter(tags=["operations"], prefix="/v1/namespaces/{namespace}/operations")

    @router.post(
        "",
        status_code=202,
        response_model=shapes.Operation,
        responses=_ANSWERS,
        openapi_extra=JSON_BODY(_EXAMPLE, required=True),
    )
    async def begin_operation(
        service: Here,
        request: Request,
        namespace: NamespacePath,
        idempotency_key: Annotated[str | None, Header(description="The same key begins one operation")] = None,
    ) -> Response:
        """Cancel, suspend, resume, retry, restart or delete all executions that a filter means, so many per second.

        `filter` has at least one of `workflow`, `version`, `phase` (one or several), `errorType`, `createdAfter`,
        `createdBefore`, `endedAfter`, `endedBefore`, or else `"all": true`. Executions that begin later are not meant.
        Those whose parent has not ended are not deleted, but failures. Dead letters are redriven and discarded by
        `type`, `verdict`, `execution`, `open` and the time they came. `dryRun` only counts them. `reason` goes with
        cancel and suspend, `version` with retry and restart. It goes on by itself, whatever process ends, does nothing
        twice, and can be looked at and stopped.
        """
        named("namespace", namespace)
        given, body = await json_body(request, {})
        asked = _asked(namespace, given)
        if idempotency_key is not None:
            key, digest = request_key(idempotency_key), digest_of(body)
            asked = replace(asked, dedupe=key, body_digest=digest)
        kind = service.kinds[asked.action]
        if given.get("dryRun", False):
            counted = await service.desk.do(lambda work: ask(work, kind, asked, dry=True))
            return reply({"action": counted.action, "matched": counted.matched})
        operation = await service.desk.do(lambda work: ask(work, kind, asked))
        location = {"location": f"/v1/namespaces/{namespace}/operations/{operation.id}"}
        return reply(operation_shown(operation), 202, location)

    _add_progress(router)
    return router


def _add_progress(router: APIRouter) -> None:
    @router.get("", response_model=shapes.OperationPage, responses=shapes.problems())
    async def list_operations(
        service: Here, namespace: NamespacePath, cursor: Cursor = None, limit: Limit = 50
    ) -> Response:
        """Operations, newest first."""
        named("namespace", namespace)
        before = read_cursor(cursor, _ID.pattern)
        rows = await service.desk.database.run(lambda tx: operations.page(tx, namespace, before, limit + 1))
        return reply(page(rows, limit, [operation_shown(row) for row in rows], "id"))

    @router.get("/{operation}", response_model=shapes.Operation, responses=shapes.problems())
    async def show_operation(service: Here, namespace: NamespacePath, operation: OperationPath) -> Response:
        """How far it has come."""
        named("namespace", namespace)
        wanted = _id(operation)
        found = await service.desk.database.run(lambda tx: operations.find(tx, namespace, wanted))
        if found is None:
            raise NotFound(f"there is no operation {operation} in namespace {namespace}")
        return reply(operation_shown(found))

    @router.post("/{operation}/stop", response_model=shapes.Operation, responses=shapes.problems(409))
    async def stop_operation(service: Here, namespace: NamespacePath, operation: OperationPath) -> Response:
        """Do nothing more of it. What it has done stays; one that was stopped does not go on."""
        named("namespace", namespace)
        wanted = _id(operation)
        return reply(operation_shown(await service.desk.do(lambda work: stop(work, namespace, wanted))))


def operation_shown(operation: Operation) -> dict[str, JSON]:
    return {
        "id": operation.id,
        "namespace": operation.namespace,
        "action": operation.action,
        "filter": json.parse(operation.filter),
        **json.parse(operation.options),
        "rate": operation.rate,
        "phase": operation.phase,
        "matched": operation.matched,
        "done": operation.done,
        "skipped": operation.skipped,
        "failed": operation.failed,
        "problems": json.parse(operation.problems),
        "createdAt": time_text(operation.created_at),
        "endedAt": time_text(operation.ended_at),
    }


def _asked(namespace: str, given: JSON) -> Asked:
    members = {"action", "filter", "rate", "dryRun", "reason", "version"}
    if not isinstance(given, dict) or not set(given) <= members:
        raise InvalidInput(f"the body is an object with {', '.join(sorted(members))}")
    action = given.get("action")
    if action not in (*ELIGIBLE, *_OF_LETTERS):
        raise InvalidInput(f"action: one of {', '.join((*ELIGIBLE, *_OF_LETTERS))}; found {action!r}")
    for name, actions in (("reason", ("cancel", "suspend")), ("version", ("retry", "restart"))):
        if name in given and not (action in actions and isinstance(given[name], str)):
            raise InvalidInput(f"{name}: a text, with {' or '.join(actions)} alone")
    asked = Asked(
        namespace=namespace,
        action=action,
        filter=LetterFilter(),
        options=Options(reason=given.get("reason"), version=given.get("version")),
        rate=check_rate(given.get("rate", _RATE), _MOST_RATE),
    )
    if action in _OF_LETTERS:
        return replace(asked, filter=read_letter_filter(given.get("filter")), first="0")
    return replace(asked, filter=_eligible(read_filter(given.get("filter")), ELIGIBLE[action], action))


def _eligible(wanted: Filter, phases: tuple[Phase, ...], action: str) -> Noun:
    """The filter with the phases in which the action can be done."""
    wrong = set(wanted.phases) - set(phases)
    if wrong:
        raise InvalidInput(f"phase: {action} is for {', '.join(phases)}, not for {', '.join(sorted(wrong))}")
    return wanted if wanted.phases else msgspec.structs.replace(wanted, phases=phases)


def read_filter(given: JSON) -> Filter:
    """Raises :class:`lowtide.errors.InvalidInput` where it is none, or means everything without saying so."""
    texts = {"workflow": "workflow", "version": "version", "errorType": "error_type"}
    moments = {f"{what}{side}": f"{what.lower()}_{side.lower()}" for what in ("created", "ended") for side in _SIDES}
    known = (*texts, *moments, "phase", "all")
    if not isinstance(given, dict) or not given or not set(given) <= set(known):
        raise InvalidInput(f'filter: an object with at least one of {", ".join(known)}; {{"all": true}} means all')
    values: dict[str, Any] = {}
    for name, member in given.items():
        if name in texts:
            if not isinstance(member, str):
                raise InvalidInput(f"filter.{name}: a text; found {json.encode(member)[:40].decode()}")
            values[texts[name]] = member
        elif name in moments:
            values[moments[name]] = moment_of(f"filter.{name}", member)
    phases = given.get("phase", [])
    phases = [phases] if isinstance(phases, str) else phases
    if not isinstance(phases, list) or not set(map(str, phases)) <= set(PHASES):
        raise InvalidInput(f"filter.phase: one or several of {', '.join(PHASES)}")
    if given.get("all", True) is not True:
        raise InvalidInput("filter.all: true, or left out")
    return Filter(phases=tuple(phases), **values)


_SIDES: Final = ("After", "Before")


def _id(text: str) -> str:
    lowered = text.lower()
    if not _ID.fullmatch(lowered):
        raise NotFound(f"there is no operation {text!r}: ids are UUIDs")
    return lowered
