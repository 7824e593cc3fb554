"""What a batch asks of the journal, checked at the border."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb

__all__ = ["Append", "Work", "check_text", "execution_of", "work_of"]

_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Append:
    """Records with consecutive numbers, and perhaps the end of the epoch (type and body)."""

    execution: UUID
    epoch: int
    records: tuple[tuple[int, bytes], ...]
    close: tuple[str, bytes] | None
    trace: str = ""


@dataclass(slots=True)
class Work:
    """The journal's part of one batch. ``heard`` is false once its stream is gone: then it is no sign of life."""

    owner: str
    stream: str
    appends: tuple[Append, ...] = ()
    releases: tuple[tuple[UUID, int], ...] = ()
    heard: bool = True
    refused: list[pb.Refusal] = field(default_factory=list)


def execution_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not an execution id; expected a UUID") from None


def check_text(name: str, text: str, longest: int = 200) -> str:
    """``text`` where the database takes it as a name."""
    if not text or len(text) > longest or "\0" in text:
        raise InvalidInput(f"{name} must have 1 to {longest} characters, and no NUL")
    return text


def work_of(batch: pb.Batch, stream: str) -> Work:
    """The journal's part of ``batch``; what is malformed is refused alone, with its reason."""
    work = Work(batch.owner, stream)
    appends = []
    for append in batch.appends:
        try:
            appends.append(_append_of(append))
        except InvalidInput as error:
            work.refused.append(_invalid(append.execution, append.epoch, str(error)))
    work.appends = tuple(appends)
    releases = []
    for release in batch.releases:
        try:
            releases.append((execution_of(release.execution), release.epoch))
        except InvalidInput as error:
            work.refused.append(_invalid(release.execution, release.epoch, str(error)))
    work.releases = tuple(releases)
    return work


def _append_of(append: pb.Append) -> Append:
    if append.epoch < 1:
        raise InvalidInput("an epoch is at least 1")
    for before, after in zip(append.records, append.records[1:], strict=False):
        if after.number != before.number + 1:
            raise InvalidInput(f"record {after.number} does not follow record {before.number}")
    if append.records and not 1 <= append.records[0].number <= _LARGEST - len(append.records):
        raise InvalidInput("record numbers begin with 1")
    close = None
    if append.HasField("close"):
        close = (check_text("the type of a close", append.close.type), append.close.body)
    records = tuple((record.number, record.body) for record in append.records)
    return Append(execution_of(append.execution), append.epoch, records, close, append.trace)


def _invalid(execution: str, epoch: int, detail: str) -> pb.Refusal:
    return pb.Refusal(execution=execution, epoch=epoch, reason=pb.Refusal.INVALID, detail=detail)
