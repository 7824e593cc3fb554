"""What was seen to happen in one simulated world, in the order in which it was seen.

A record is a moment, a kind, whose process it was, and what it is about. The kinds that the checker reads:

=============== ========================================================================================================
``deployed``    name, plan, on (whether events start it)
``asked``       a start was asked for: workflow, key
``started``     the start was acknowledged: workflow, key, execution
``cancelling``  a cancel was asked for: execution
``sending``     an event of the world, before it is sent for the first time: source, id
``sent``        it was acknowledged: source, id
``emitted``     a workflow's event, before it is sent: source, id
``taken``       the Broker's answer was heard: source, id
``opened``      an owner took the lease: execution, epoch, upto
``decided``     an owner sends an effect: execution, command, arguments (their digest)
``performed``   the world performed it: execution, command, result
``acknowledged`` an owner heard of its commit: execution, epoch, entries (number, digest), commands
``closed``      an outcome of an epoch was delivered: execution, epoch, type, body (which of those that were seen)
``outstanding`` dispatches at the Broker: count, most
``slots``       invocations of a workflow that are out: workflow, count, most
``seen``        an execution as control shows it: execution, phase, outcome (its digest)
``told``        what analytics was told: execution, number, phase
``journal``     a record of the journal at the end: execution, number, epoch, digest, entry
``execution``   an execution at the end: everything that control knows of it
``leftover``    a row that should be gone at the end: store, what
``broken``      a mistake that a deployable logged as its own, or a task that broke: what, error
``fault``       what was made to go wrong
=============== ========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from lowtide.testing.simulate.process import current

__all__ = ["History", "Record", "digest"]


class Record(msgspec.Struct, frozen=True):
    """``at``: virtual seconds. ``by``: the process, empty for the world."""

    at: float
    kind: str
    by: str
    about: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.about[name]


@dataclass
class History:
    """``clock`` gives virtual seconds; what is noted after :meth:`close` is of no interest."""

    clock: Callable[[], float] = lambda: 0.0
    records: list[Record] = field(default_factory=list)
    closed: bool = False

    def note(self, kind: str, **about: Any) -> None:
        if not self.closed:
            process = current.get()
            self.records.append(Record(round(self.clock(), 6), kind, process.name if process else "", about))

    def of(self, *kinds: str) -> Iterator[Record]:
        return (record for record in self.records if record.kind in kinds)

    def close(self) -> None:
        self.closed = True

    def reopen(self) -> History:
        self.closed = False
        return self

    def encoded(self) -> bytes:
        """One line of JSON per record."""
        return b"\n".join(msgspec.json.encode(record) for record in self.records)


def digest(value: object) -> str:
    """A short name for a JSON value or bytes."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value, order="sorted")
    return sha256(body).hexdigest()[:16]
