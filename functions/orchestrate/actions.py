"""What a bulk operation does to one of those that it is about.

``prepare`` does what cannot be part of a transaction (journals are read and written), ``apply`` the rest, in the one
that moves the operation's cursor on. What is prepared twice, because a process died in between, begins once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from lowtide.model.base import Noun
from lowtide.model.phase import ENDED, Phase
from lowtide.wire import json

from .cancelling import cancel
from .deleting import delete
from .repeating import Prepared, Repeats, Wish, begin
from .store import executions
from .store.database import Tx
from .store.filtering import Filter
from .store.keys import hashed
from .store.operations import Action, Operation
from .suspending import resume, suspend
from .work import Work

__all__ = ["ELIGIBLE", "ExecutionActions", "Kind", "Options"]

_ALIVE: Final[tuple[Phase, ...]] = ("pending", "running", "waiting", "suspended")

ELIGIBLE: Final[dict[Action, tuple[Phase, ...]]] = {
    "cancel": _ALIVE,
    "suspend": ("pending", "running", "waiting"),
    "resume": ("suspended",),
    "retry": ("faulted",),
    "restart": tuple(sorted(ENDED)),
    "delete": tuple(sorted(ENDED)),
}
"""The phases in which each can be done; those that are meant where the filter names none."""


class Options(Noun, frozen=True, kw_only=True):
    """``reason`` of a cancel or a suspend, ``version`` of a retry or a restart."""

    reason: str | None = None
    version: str | None = None


class Kind(Protocol):
    """One kind of what operations are about. Ids are texts that sort as what they name was made."""

    async def bound(self, tx: Tx, operation_id: str) -> str:
        """The last one that an operation can be about which begins now."""
        ...

    async def count(self, tx: Tx, operation: Operation) -> int: ...

    async def page(self, tx: Tx, operation: Operation, limit: int) -> Sequence[str]:
        """The next ones after the operation's cursor."""
        ...

    async def prepare(self, operation: Operation, one: str) -> object:
        """Raises what says why it cannot be done."""
        ...

    async def apply(self, work: Work, operation: Operation, one: str, prepared: object) -> bool:
        """Do it; ``False`` where it is not meant any more."""
        ...


class ExecutionActions:
    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats

    async def bound(self, tx: Tx, operation_id: str) -> str:
        """Operations have ids as executions do: both begin with the moment."""
        return operation_id

    async def count(self, tx: Tx, operation: Operation) -> int:
        return await executions.count_matching(tx, operation.namespace, _filter(operation), operation.bound)

    async def page(self, tx: Tx, operation: Operation, limit: int) -> Sequence[str]:
        return await executions.matching(
            tx, operation.namespace, _filter(operation), operation.bound, after=operation.cursor, limit=limit
        )

    async def prepare(self, operation: Operation, one: str) -> object:
        if operation.action not in ("retry", "restart"):
            return None
        wish = Wish(
            kind="retry" if operation.action == "retry" else "restart",
            version=_options(operation).version,
            dedupe=hashed("operation", operation.id, one),
        )
        return await self._repeats.prepare(operation.namespace, one, wish)

    async def apply(self, work: Work, operation: Operation, one: str, prepared: object) -> bool:
        if not await executions.matches(work.tx, operation.namespace, _filter(operation), one):
            return False
        if isinstance(prepared, Prepared):
            await begin(work, prepared)
            return True
        reason = _options(operation).reason
        match operation.action:
            case "cancel":
                await cancel(work, one, reason or "cancelled by request")
            case "suspend":
                await suspend(work, one, reason or "suspended by request")
            case "resume":
                await resume(work, one)
            case "delete":
                await delete(work, one)
            case _:
                raise AssertionError(f"{operation.action} is nothing that is done to executions")
        return True


def _filter(operation: Operation) -> Filter:
    return json.decode(operation.filter, Filter)


def _options(operation: Operation) -> Options:
    return json.decode(operation.options, Options)
