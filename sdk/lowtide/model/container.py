"""A container as those see it who run it: what is ordered, and what became of it."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from lowtide.model.base import JSON, Noun, Value
from lowtide.model.command import Container, RunContainer
from lowtide.model.process import Return

__all__ = ["VOLUME", "Order", "Seen", "container_id", "is_port", "order_of"]

VOLUME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Names of volumes: a path of the machine is none."""


class Order(Noun, frozen=True, kw_only=True):
    """One container to run. ``id`` derives from the execution and the command: the same order never runs twice.

    ``seconds``: how long it may take, from its start.
    """

    id: str
    execution: str
    reference: str
    container: Container
    seconds: float
    wanted: Return = "stdout"


class Seen(Value, frozen=True):
    """What a look at a container found.

    ``starting``: it does not run yet, for ``problem`` where there is one. ``ended``: with ``code``. ``gone``: nothing
    is left of it that could tell how it ended. ``late``: it was stopped because its time was over.
    """

    phase: Literal["starting", "running", "ended", "gone", "late"]
    code: int = 0
    problem: str = ""


def is_port(value: JSON) -> bool:
    """Whether it is a port number, perhaps as text."""
    text = str(value)
    return not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def container_id(execution: str, command: str) -> str:
    """A DNS label of 48 characters."""
    return "lowtide-" + hashlib.sha256(f"{execution} {command}".encode()).hexdigest()[:40]


def order_of(execution: str, command: RunContainer, most: float, *, margin: float = 0.0) -> Order:
    """``most``: seconds that a container may take whose task has no timeout; ``margin``: seconds beyond a timeout."""
    seconds = most if command.timeout is None else command.timeout / 1000 + margin
    return Order(
        id=container_id(execution, command.id),
        execution=execution,
        reference=command.reference,
        container=command.container,
        seconds=seconds,
        wanted=command.wanted,
    )
