"""What becomes of an event that could not be delivered, as Knative writes it: the event, and three extensions."""

from __future__ import annotations

import base64
from typing import Final

from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import DEAD_LETTER_CODE

__all__ = ["dead_letter"]

_DESTINATION: Final = "knativeerrordest"
_DATA: Final = "knativeerrordata"
_DATA_LIMIT: Final = 1024  # bytes of the answer that are told, as in Knative


def dead_letter(event: CloudEvent, destination: str, status: int | None, body: bytes) -> CloudEvent:
    """``status`` is ``None`` where there was no answer at all; then, as in Knative, no code is told."""
    told: dict[str, str | int | bool] = {_DESTINATION: destination}
    if status is not None:
        told[DEAD_LETTER_CODE] = status
    if body:
        told[_DATA] = base64.b64encode(body[:_DATA_LIMIT]).decode()
    return CloudEvent({**event.attributes, **told}, event.data)
