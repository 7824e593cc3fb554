"""What the driver loop needs of the world: ports. Adapters live in ``clients`` and ``effects``; fakes in ``testing``.

The driver is given a journal (leases and durable appends), something that performs effects, somewhere to publish
events, and a clock; nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Perform
from lowtide.model.fact import Fact
from lowtide.model.usage import Usage
from lowtide.wire.claims import Payload
from lowtide.wire.records import Closing, Entry, Opened, Subject
from lowtide.wire.types import Wake

__all__ = ["Closing", "Effects", "History", "Journal", "Opened", "Payloads", "Publisher", "Subject"]


class Journal(Protocol):
    """Leases and the durable journal of executions (architecture, section 4)."""

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        """Take the lease. Raises :class:`lowtide.errors.Unavailable` when the journal cannot be asked."""
        ...

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        """Write entries (consecutive numbers) and, with ``closing``, end the epoch; returns after the commit.

        With neither, the journal is asked whether the lease still lives.

        Appends of one execution are written in the order of the calls. Raises :class:`lowtide.errors.Fenced` when
        another owner or epoch took over, :class:`lowtide.errors.Unavailable` when the journal stays unreachable.
        """
        ...

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        """Whether the lease is known to live now, by the monotonic clock; checked directly before an effect."""
        ...

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        """Call ``receive`` for every wake signalled to this owner until the returned function is called."""
        ...

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        """Give the lease back without closing the epoch, so that the next delivery need not wait for its expiry."""
        ...


class Payloads(Protocol):
    """The payload store: large data by content, each execution's apart (architecture, section 5).

    All raise :class:`lowtide.errors.Unavailable` where it cannot be asked.
    """

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        """Store ``content``; returns once it is durable. What is there already stays. Raises TooLarge."""
        ...

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        """The content. Raises :class:`lowtide.errors.PayloadLost` where it is gone or another one."""
        ...

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        """Forget the payloads with these SHA-256, or all that the execution has. What is not there is no error."""
        ...


class History(Protocol):
    """Best-effort reports; never waits, may drop (drops are counted)."""

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None: ...

    def log(
        self, subject: Subject, level: str, message: str, task: str = "", fields: dict[str, JSON] | None = None
    ) -> None: ...

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None: ...


class Effects(Protocol):
    """Performs active commands against the world."""

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """The effect's output. Raises :class:`lowtide.errors.TaskFailed` with the workflow error when it fails."""
        ...


class Publisher(Protocol):
    """Publishes CloudEvents given in JSON form."""

    async def publish(self, event: dict[str, JSON]) -> None:
        """Returns once the event was accepted. Raises :class:`lowtide.errors.Unavailable` when it was not."""
        ...
