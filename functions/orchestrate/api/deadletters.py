"""Dead letters: list, show, redrive, discard."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from lowtide.errors import InvalidInput, NotFound
from lowtide.model.base import JSON
from lowtide.wire import json
from lowtide.wire.masking import NOTHING_SECRET

from ..redriving import discard
from ..service import Service
from ..store import deadletters, executions
from ..store.deadletters import Letter, LetterFilter
from . import shapes
from .documents import reply
from .here import Here
from .pages import Cursor, Limit, NamespacePath, moment_of, named, page, read_cursor, time_text

__all__ = ["read_letter_filter", "routes"]

_NUMBER: Final = r"\d{1,18}"

LetterPath = Annotated[str, Path(description="A dead letter's number", examples=["17"])]


def routes() -> APIRouter:
    router = APIRouter(tags=["dead letters"], prefix="/v1/namespaces/{namespace}/deadletters")

    @router.get("", response_model=shapes.DeadLetterPage, responses=shapes.problems())
    async def list_dead_letters(
        service: Here,
        namespace: NamespacePath,
        type: Annotated[str | None, Query(description="Of this event type alone")] = None,
        verdict: Annotated[str | None, Query(description="With this verdict alone", examples=["suspended"])] = None,
        execution: Annotated[str | None, Query(description="About this execution alone")] = None,
        open: Annotated[bool | None, Query(description="That somebody should look at, or nobody need")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response:
        """Events that could not be delivered, newest first, with what was done about them.

        `open` are those after which nothing more happens by itself. Events from outside of all namespaces are shown in
        each.
        """
        named("namespace", namespace)
        before = read_cursor(cursor, _NUMBER)
        wanted = LetterFilter(type=type, verdict=verdict, execution=_execution(execution), open=open)
        position = None if before is None else int(before)
        rows = await service.desk.database.run(lambda tx: deadletters.page(tx, namespace, wanted, position, limit + 1))
        return reply(page(rows, limit, [await _shown(service, row) for row in rows], "id"))

    @router.get("/{letter}", response_model=shapes.DeadLetter, responses=shapes.problems())
    async def show_dead_letter(service: Here, namespace: NamespacePath, letter: LetterPath) -> Response:
        """One dead letter, with its event where that is kept (dispatches are stored elsewhere)."""
        named("namespace", namespace)
        number = _number(letter)
        found = await service.desk.database.run(lambda tx: deadletters.find(tx, namespace, number))
        if found is None:
            raise NotFound(f"there is no dead letter {letter} in namespace {namespace}")
        return reply({**await _shown(service, found), "event": json.parse(found.event) if found.event else None})

    @router.post("/{letter}/redrive", response_model=shapes.DeadLetter, responses=shapes.problems(409))
    async def redrive_dead_letter(service: Here, namespace: NamespacePath, letter: LetterPath) -> Response:
        """Do again what its event asks for: `verdict` says what became of it this time.

        A dispatch is issued again (an execution that was suspended for it goes on), an outcome is applied, an event of
        the world is shown to whoever wants it. None of that is done twice.
        """
        named("namespace", namespace)
        return reply(await _shown(service, await service.redriver.redrive(namespace, _number(letter))))

    @router.post("/{letter}/discard", response_model=shapes.DeadLetter, responses=shapes.problems())
    async def discard_dead_letter(service: Here, namespace: NamespacePath, letter: LetterPath) -> Response:
        """Nobody need look at it any more; its execution stays as it is."""
        named("namespace", namespace)
        number = _number(letter)
        return reply(await _shown(service, await service.desk.do(lambda work: discard(work, namespace, number))))

    return router


async def _shown(service: Service, letter: Letter) -> dict[str, JSON]:
    """What a subscriber had answered may quote a secret of the workflow."""
    mask = NOTHING_SECRET
    if letter.detail and letter.execution and letter.namespace:
        whose, border = letter.execution, letter.namespace
        found = await service.desk.database.run(lambda tx: executions.find(tx, border, whose))
        mask = await service.desk.mask(found.workflow_version) if found else mask
    return {
        "id": str(letter.id),
        "namespace": letter.namespace,
        "execution": letter.execution,
        "epoch": letter.epoch,
        "type": letter.type,
        "source": letter.source,
        "eventId": letter.event_id,
        "code": letter.code,
        "detail": mask.json(letter.detail),
        "verdict": letter.verdict,
        "open": letter.is_open,
        "redrives": letter.redrives,
        "at": time_text(letter.at),
        "settledAt": time_text(letter.settled_at),
    }


def read_letter_filter(given: JSON) -> LetterFilter:
    """The filter of a bulk operation on dead letters.

    Raises :class:`lowtide.errors.InvalidInput` where it is none, or means everything without saying so.
    """
    known = ("type", "verdict", "execution", "open", "createdAfter", "createdBefore", "all")
    if not isinstance(given, dict) or not given or not set(given) <= set(known):
        raise InvalidInput(f'filter: an object with at least one of {", ".join(known)}; {{"all": true}} means all')
    for name in ("type", "verdict", "execution"):
        if not isinstance(given.get(name, ""), str):
            raise InvalidInput(f"filter.{name}: a text")
    for name in ("open", "all"):
        if not isinstance(given.get(name, True), bool):
            raise InvalidInput(f"filter.{name}: true or false")
    moments: dict[str, Any] = {
        field: moment_of(f"filter.{name}", given[name])
        for name, field in (("createdAfter", "created_after"), ("createdBefore", "created_before"))
        if name in given
    }
    execution = _execution(given.get("execution"))
    return LetterFilter(
        type=given.get("type"), verdict=given.get("verdict"), execution=execution, open=given.get("open"), **moments
    )


def _execution(text: str | None) -> str | None:
    if text is None:
        return None
    if not executions.is_id(text.lower()):
        raise InvalidInput(f"execution: {text!r} is no execution's id; ids are UUIDs")
    return text.lower()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound(f"there is no dead letter {text!r}: they have numbers")
    return int(text)
