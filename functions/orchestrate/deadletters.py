"""Dead letters: a question, not a verdict. What the journal says decides; every letter is recorded with the answer."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Final

from lowtide.errors import InvalidEvent, LowtideError
from lowtide.model.base import ExecutionId, Millis
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.mac import verify
from lowtide.wire.types import (
    ALERT_WATCH,
    DEAD_LETTER_CODE,
    DISPATCH,
    OUTCOMES,
    REGISTERED,
    REPEATED,
    Extension,
)

from .incoming import accept
from .lost import ask
from .ports import Ingest
from .reports import Reports
from .store import deadletters, executions
from .work import Desk

__all__ = ["take_dead_letter"]

log = logging.getLogger("lowtide.orchestrate")

_DATA: Final = "knativeerrordata"
_LARGEST_KEPT: Final = 8 * 1024 * 1024

_NEVER: Final = frozenset({"400", "410", "413"})
"""Answers of execute's that say that this dispatch can never succeed."""


async def take_dead_letter(desk: Desk, ingest: Ingest, reports: Reports, event: CloudEvent) -> str:
    """What was done about an event that could not be delivered.

    Raises :class:`lowtide.errors.Unavailable` where the journal cannot be asked: the letter must come again.
    """
    execution, epoch = _about(event)
    code = event.text(DEAD_LETTER_CODE)
    detail = _detail(event)
    if event.type == DISPATCH:
        if execution is None or epoch is None:
            raise InvalidEvent(f"a dispatch needs the extensions {Extension.execution} and {Extension.epoch}")
        _check_ours(desk, event, execution, epoch)
        problem = f"execute refuses its dispatch with {code}: {detail}" if code in _NEVER else None
        verdict: str = await ask(desk, ingest, execution, epoch, problem)
    elif event.type in (*OUTCOMES, REGISTERED):
        verdict = await reports.take(event)
    elif event.type in (*REPEATED, ALERT_WATCH):
        verdict = "ignored"  # they come again by themselves
    else:
        verdict = "applied" if await accept(desk, [event], None) else "ignored"
    await _record(desk, event, execution, epoch, code, detail, verdict)
    return verdict


def _check_ours(desk: Desk, event: CloudEvent, execution: ExecutionId, epoch: int) -> None:
    """Raise :class:`lowtide.errors.Unauthentic` where this is no dispatch of ours; an expired token is ours."""
    digest, token = event.text(Extension.digest) or "", event.text(Extension.token) or ""
    verify(desk.terms.key, token, "dispatch", execution, epoch, digest, Millis(0))


def _about(event: CloudEvent) -> tuple[ExecutionId | None, int | None]:
    execution, epoch = event.text(Extension.execution), event.text(Extension.epoch)
    if execution is None or not executions.is_id(execution) or not (epoch or "").isdecimal():
        return None, None
    return ExecutionId(execution), int(epoch or 0)


def _detail(event: CloudEvent) -> str:
    """What the subscriber had answered, as far as Knative told it."""
    try:
        return base64.b64decode(event.text(_DATA) or "").decode(errors="replace").replace("\x00", "")[:1000]
    except (binascii.Error, ValueError):
        return ""


def _kept(event: CloudEvent) -> bytes | None:
    """The event, where it is needed to redrive it and is not stored anyway."""
    if event.type in (DISPATCH, *REPEATED):
        return None
    body = json.encode(event.as_json())
    return body if len(body) <= _LARGEST_KEPT else None


async def _record(
    desk: Desk,
    event: CloudEvent,
    execution: ExecutionId | None,
    epoch: int | None,
    code: str | None,
    detail: str,
    verdict: str,
) -> None:
    log.warning("dead letter %s (%s, code %s): %s", event.id, event.type, code, verdict)
    values = {
        "execution": execution,
        "epoch": epoch,
        "type": event.type,
        "source": event.source,
        "event_id": event.id,
        "code": code,
        "detail": detail,
        "verdict": verdict,
        "namespace": event.text(Extension.namespace),
        "event": _kept(event),
    }
    try:
        await desk.database.run(lambda tx: deadletters.record(tx, values))
    except LowtideError as error:
        log.warning("the dead letter %s was handled, but not recorded: %s", event.id, error)
