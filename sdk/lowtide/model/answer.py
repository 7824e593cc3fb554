"""What comes of an ``Ask``: events, whose types the engine, orchestrate and ``lowtide run --event`` share."""

from typing import Any, Final

from lowtide.model.base import JSON, Millis, iso
from lowtide.model.command import AskKind

__all__ = ["BY", "answer_event", "answered_type", "expired_event", "expired_type"]

BY: Final = "lowtideby"
"""The attribute of an answer that names the person who gave it."""


def answered_type(kind: AskKind) -> str:
    return "dev.lowtide.callback.received.v1" if kind == "callback" else "dev.lowtide.task.completed.v1"


def expired_type(kind: AskKind) -> str:
    return f"dev.lowtide.{kind}.expired.v1"


def answer_event(
    kind: AskKind, name: str, source: str, at: Millis, data: JSON, *, by: str | None = None
) -> dict[str, Any]:
    """The event that is an answer, in JSON form; ``name`` tells it from other answers of its source."""
    author = {} if by is None else {BY: by}
    return _event(answered_type(kind), name, source, at) | author | {"data": data}


def expired_event(kind: AskKind, name: str, source: str, at: Millis) -> dict[str, Any]:
    """The event that takes the place of an answer, when its time is over."""
    return _event(expired_type(kind), name, source, at)


def _event(event_type: str, name: str, source: str, at: Millis) -> dict[str, Any]:
    return {"specversion": "1.0", "id": name, "source": source, "type": event_type, "time": iso(at)}
