"""Reports as rows of the analytics store: one shape per kind, with the statement that writes many of them.

Written with plain SQL, so that ingest starts without SQLAlchemy; a test holds the columns against
``lowtide.storage.analytics``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final
from uuid import UUID

from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.wire import json

__all__ = [
    "CHANGES",
    "DROPPED",
    "FACTS",
    "KINDS",
    "LOGS",
    "METRICS",
    "USAGES",
    "Kind",
    "given",
    "members",
    "moment",
    "plain_text",
]

_MOST: Final = 1e15

_LONGEST_TYPE: Final = 253
_LONGEST_TEXT: Final = 64 * 1024
"""Characters of an error's texts. A type can be asked for by so many; of all words together an index takes one MiB."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """``columns`` are name and type, the first ``keys`` of them are the primary key. ``row`` raises ``ValueError``,
    ``OverflowError`` or :class:`lowtide.errors.InvalidInput` for what no table takes."""

    name: str
    table: str
    keys: int
    columns: tuple[tuple[str, str], ...]
    row: Callable[[Any], tuple[Any, ...]]

    @cached_property
    def statement(self) -> str:
        """Writes what is not there. Answers with the number of rows that were new, beside their keys where that is
        fewer than the last parameter says."""
        names = ", ".join(name for name, _ in self.columns)
        key = ", ".join(name for name, _ in self.columns[: self.keys])
        return (
            f"WITH written AS (INSERT INTO {self.table} ({names}) {given(self.columns)} "
            f"ON CONFLICT ({key}) DO NOTHING RETURNING {key}) "
            f"SELECT counted.n, {key} FROM (SELECT count(*) AS n FROM written) AS counted "
            "LEFT JOIN written ON counted.n < %b"
        )


def given(columns: Sequence[tuple[str, str]]) -> str:
    """The query that makes rows of one array per column; JSON travels as text: an array of documents has no binary
    form of its own."""
    names = ", ".join(name for name, _ in columns)
    arrays = ", ".join(f"%b::{'text' if kind == 'jsonb' else kind}[]" for _, kind in columns)
    values = ", ".join(f"{name}::jsonb" if kind == "jsonb" else name for name, kind in columns)
    return f"SELECT {values} FROM unnest({arrays}) AS given ({names})"


def moment(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)


def _later(millis: int) -> datetime | None:
    return moment(millis) if millis else None


def plain_text(value: str) -> str:
    """``value`` without NUL, which PostgreSQL does not take."""
    return value.replace("\0", "�") if "\0" in value else value


def _document(body: bytes) -> str | None:
    """JSON text that ``jsonb`` takes, or ``None`` where there is none."""
    if not body:
        return None
    if b"\\u0000" in body:
        return json.encode(_clean(json.parse(body))).decode()
    return body.decode()


def _error(body: bytes) -> str | None:
    """As :func:`_document`, of an error: a document may make its texts longer than an index takes."""
    if len(body) <= _LONGEST_TYPE:
        return _document(body)
    found = json.parse(body)
    if not isinstance(found, dict):
        raise ValueError("this is no error")
    return json.encode(_clean({name: _cut(name, value) for name, value in found.items()})).decode()


def _cut(name: str, value: Any) -> Any:
    longest = _LONGEST_TYPE if name == "type" else _LONGEST_TEXT
    return value[: longest - 1] + "…" if isinstance(value, str) and len(value) > longest else value


def members(body: bytes) -> str | None:
    """As :func:`_document`, of an object: it is merged with others."""
    if not body:
        return None
    found = json.parse(body)
    if not isinstance(found, dict):
        raise ValueError("this is no JSON object")
    return json.encode(_clean(found)).decode()


def _measured(value: float) -> float:
    """What is added up: one value that is no time would spoil the sums that it is in."""
    if not -_MOST <= value <= _MOST:
        raise ValueError(f"{value} is no measured time")
    return value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {plain_text(key): _clean(item) for key, item in value.items()}
    return value


@lru_cache(maxsize=4096)
def _id(execution: str) -> UUID:
    """Many reports are about few executions."""
    return UUID(execution)


def _labels(labels: Any) -> str:
    return _encoded(tuple(labels.items()))


@lru_cache(maxsize=4096)
def _encoded(labels: tuple[tuple[str, Any], ...]) -> str:
    """Many samples have the same labels."""
    return json.encode(_clean(dict(labels))).decode()


def _subject(subject: pb.Subject) -> tuple[str, str, str]:
    return plain_text(subject.namespace), plain_text(subject.workflow), plain_text(subject.version)


def _fact(fact: pb.TaskFact) -> tuple[Any, ...]:
    return (
        _id(fact.subject.execution),
        fact.number,
        *_subject(fact.subject),
        plain_text(fact.task),
        plain_text(fact.name),
        plain_text(fact.reference),
        plain_text(fact.kind),
        plain_text(fact.status),
        moment(fact.at),
        fact.attempt,
        _error(fact.error),
        members(fact.keys),
        plain_text(fact.effect),
        _measured(fact.active_ms),
        fact.bytes_in,
        fact.bytes_out,
        fact.input_tokens,
        fact.output_tokens,
        members(fact.wait),
        _measured(fact.duration_ms) if fact.HasField("duration_ms") else None,
    )


def _log(line: pb.LogLine) -> tuple[Any, ...]:
    return (
        _id(line.subject.execution),
        moment(line.at),
        plain_text(line.id),
        *_subject(line.subject),
        plain_text(line.level),
        plain_text(line.message),
        plain_text(line.task),
        _document(line.fields),
    )


def _metric(sample: pb.MetricSample) -> tuple[Any, ...]:
    execution = _id(sample.subject.execution) if sample.subject.execution else None
    return (
        moment(sample.at),
        plain_text(sample.id),
        *_subject(sample.subject),
        execution,
        plain_text(sample.name),
        sample.value,
        _labels(sample.labels),
    )


def _usage(usage: pb.InvocationUsage) -> tuple[Any, ...]:
    return (
        UUID(usage.subject.execution),
        usage.epoch,
        *_subject(usage.subject),
        moment(usage.at),
        _measured(usage.active_ms),
        _measured(usage.cpu_ms),
        usage.memory_bytes,
        usage.cold_start,
        _measured(usage.cold_start_ms),
        _measured(usage.queueing_ms),
        usage.turns,
        usage.effects,
        usage.records,
        usage.bytes_in,
        usage.bytes_out,
        usage.input_tokens,
        usage.output_tokens,
        _labels(usage.effect_kinds),
    )


def _change(change: pb.ExecutionChange) -> tuple[Any, ...]:
    return (
        UUID(change.subject.execution),
        *_subject(change.subject),
        change.version_number,
        plain_text(change.phase),
        change.epoch,
        UUID(change.parent) if change.parent else None,
        moment(change.created_at),
        _later(change.started_at),
        _later(change.ended_at),
        _error(change.error),
        _labels(change.tags),
        plain_text(change.reason) or None,
        plain_text(change.parent_task) or None,
    )


_SUBJECT: Final = (("namespace", "text"), ("workflow", "text"), ("version", "text"))

_NUMBERS: Final = (
    ("active_ms", "float8"),
    ("cpu_ms", "float8"),
    ("memory_bytes", "bigint"),
    ("cold_start", "boolean"),
    ("cold_start_ms", "float8"),
    ("queueing_ms", "float8"),
    ("turns", "bigint"),
    ("effects", "bigint"),
    ("records", "bigint"),
    ("bytes_in", "bigint"),
    ("bytes_out", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("effect_kinds", "jsonb"),
)

_CHANGE_COLUMNS: Final = (
    ("execution", "uuid"),
    *_SUBJECT,
    ("version_number", "bigint"),
    ("phase", "text"),
    ("epoch", "bigint"),
    ("parent", "uuid"),
    ("created_at", "timestamptz"),
    ("started_at", "timestamptz"),
    ("ended_at", "timestamptz"),
    ("error", "jsonb"),
    ("tags", "jsonb"),
    ("reason", "text"),
    ("parent_task", "text"),
)

CHANGES: Final = Kind("changes", "executions", 1, _CHANGE_COLUMNS, _change)
"""Written together with what executions cost: see ``totals``."""

FACTS: Final = Kind(
    "facts",
    "task_facts",
    2,
    (
        ("execution", "uuid"),
        ("number", "bigint"),
        *_SUBJECT,
        ("task", "text"),
        ("name", "text"),
        ("reference", "text"),
        ("kind", "text"),
        ("status", "text"),
        ("at", "timestamptz"),
        ("attempt", "integer"),
        ("error", "jsonb"),
        ("keys", "jsonb"),
        ("effect", "text"),
        ("active_ms", "float8"),
        ("bytes_in", "bigint"),
        ("bytes_out", "bigint"),
        ("input_tokens", "bigint"),
        ("output_tokens", "bigint"),
        ("wait", "jsonb"),
        ("duration_ms", "float8"),
    ),
    _fact,
)

LOGS: Final = Kind(
    "logs",
    "logs",
    3,
    (
        ("execution", "uuid"),
        ("at", "timestamptz"),
        ("id", "text"),
        *_SUBJECT,
        ("level", "text"),
        ("message", "text"),
        ("task", "text"),
        ("fields", "jsonb"),
    ),
    _log,
)

METRICS: Final = Kind(
    "metrics",
    "metric_samples",
    2,
    (
        ("at", "timestamptz"),
        ("id", "text"),
        *_SUBJECT,
        ("execution", "uuid"),
        ("name", "text"),
        ("value", "float8"),
        ("labels", "jsonb"),
    ),
    _metric,
)

USAGES: Final = Kind(
    "usages",
    "usage",
    2,
    (("execution", "uuid"), ("epoch", "bigint"), *_SUBJECT, ("at", "timestamptz"), *_NUMBERS),
    _usage,
)

KINDS: Final = (FACTS, LOGS, METRICS, USAGES, CHANGES)
"""Every kind of report, by the name of its field in ``Batch``, in the order in which all writers write them."""


DROPPED: Final = """
INSERT INTO dropped (at, source, kind, count) SELECT date_trunc('second', now()), source, kind, count
  FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS lost (source, kind, count)
ON CONFLICT (at, source, kind) DO UPDATE SET count = dropped.count + excluded.count
"""
