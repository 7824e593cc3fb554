"""Logs and metrics of others, as OTLP over gRPC: what a container, a step or a service says of an execution.

The resource says whom it is about, by the names that spans have: ``lowtide.namespace``, ``lowtide.workflow``,
``lowtide.execution`` and, where there is one, ``lowtide.version``; a log record may name its ``lowtide.task``. What
does not fit is refused in the answer (partial success), so that its sender can say why, and the rest is taken. The
same record sent again is kept once: its id follows from what it says.

Metrics are gauges and sums; histograms are refused: samples have one value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)

from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.wire import json

from .projecting import Projector

__all__ = ["SERVICES", "add_otlp"]

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICES: Final = (
    logs.DESCRIPTOR.services_by_name["LogsService"].full_name,
    metrics.DESCRIPTOR.services_by_name["MetricsService"].full_name,
)

_OWNER: Final = "otlp"
_MESSAGE: Final = 64 * 1024
_TEXT: Final = 4096
_MOST_LABELS: Final = 64
_DEEPEST: Final = 20
_OURS: Final = "lowtide."
_LATEST: Final = 253_402_300_799_999
_SEVERITIES: Final = ((17, "error"), (13, "warning"), (9, "info"), (1, "debug"))
_LEVELS: Final = {"fatal": "error", "error": "error", "warn": "warning", "warning": "warning", "info": "info"}


class _Refused(Exception):
    """A record that does not fit; the text says why."""


class _Taken:
    """What is taken of one request, and how much is not."""

    def __init__(self) -> None:
        self.batch = pb.Batch(owner=_OWNER)
        self.rejected = 0
        self.reason = ""

    def refuse(self, count: int, reason: str) -> None:
        self.rejected += count
        self.reason = self.reason or reason


def add_otlp(server: grpc.aio.Server, projector: Projector) -> None:
    add_LogsServiceServicer_to_server(_Logs(projector), server)  # type: ignore[no-untyped-call]
    add_MetricsServiceServicer_to_server(_Metrics(projector), server)  # type: ignore[no-untyped-call]


class _Logs(LogsServiceServicer):
    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def Export(self, request: logs.ExportLogsServiceRequest, context: Context) -> logs.ExportLogsServiceResponse:
        taken = _Taken()
        for resource_logs in request.resource_logs:
            records = [record for scope in resource_logs.scope_logs for record in scope.log_records]
            whom = _subject(resource_logs.resource, taken, len(records), execution=True)
            if whom is None:
                continue
            for record in records:
                try:
                    taken.batch.logs.append(_line(whom, record))
                except _Refused as refused:
                    taken.refuse(1, str(refused))
        await _hand_over(self._projector, taken, context)
        answer = logs.ExportLogsServiceResponse()
        if taken.rejected:
            answer.partial_success.rejected_log_records = taken.rejected
            answer.partial_success.error_message = taken.reason
        return answer


class _Metrics(MetricsServiceServicer):
    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def Export(
        self, request: metrics.ExportMetricsServiceRequest, context: Context
    ) -> metrics.ExportMetricsServiceResponse:
        taken = _Taken()
        for resource_metrics in request.resource_metrics:
            found = [metric for scope in resource_metrics.scope_metrics for metric in scope.metrics]
            count = sum(_points(metric) for metric in found)
            whom = _subject(resource_metrics.resource, taken, count, execution=False)
            for metric in found:
                if whom is not None:
                    _take(taken, whom, metric)
        await _hand_over(self._projector, taken, context)
        answer = metrics.ExportMetricsServiceResponse()
        if taken.rejected:
            answer.partial_success.rejected_data_points = taken.rejected
            answer.partial_success.error_message = taken.reason
        return answer


async def _hand_over(projector: Projector, taken: _Taken, context: Context) -> None:
    """Exporters send again what is answered with UNAVAILABLE."""
    if not projector.takes(taken.batch):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the analytics store is behind or away; send it again later")
    if taken.batch.logs or taken.batch.metrics:
        projector.offer(taken.batch)


# ---------------------------------------------------------------- whom it is about


def _subject(resource: Resource, taken: _Taken, count: int, *, execution: bool) -> pb.Subject | None:
    """``None`` where nobody can be told from it; all ``count`` records are refused then."""
    given = {one.key: one.value.string_value for one in resource.attributes if one.key.startswith(_OURS)}
    whom = pb.Subject(
        namespace=given.get("lowtide.namespace", ""),
        workflow=given.get("lowtide.workflow", ""),
        version=given.get("lowtide.version", ""),
        execution=given.get("lowtide.execution", ""),
    )
    missing = [name for name in ("namespace", "workflow") if not getattr(whom, name)]
    if execution and not whom.execution:
        missing.append("execution")
    if missing:
        names = ", ".join(f"lowtide.{name}" for name in missing)
        taken.refuse(count, f"the resource has no attribute {names}; set it in OTEL_RESOURCE_ATTRIBUTES")
        return None
    if any(len(text) > _TEXT for text in given.values()):
        taken.refuse(count, f"an attribute lowtide.… of the resource has more than {_TEXT} characters")
        return None
    if whom.execution and not _is_id(whom.execution):
        taken.refuse(count, f"lowtide.execution is no id: {whom.execution[:80]!r}")
        return None
    return whom


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- logs


def _line(whom: pb.Subject, record: LogRecord) -> pb.LogLine:
    fields = {one.key: _value(one.value) for one in record.attributes if not one.key.startswith(_OURS)}
    if record.trace_id:
        fields["trace_id"] = record.trace_id.hex()
    if record.span_id:
        fields["span_id"] = record.span_id.hex()
    own = {one.key: one.value.string_value for one in record.attributes if one.key.startswith(_OURS)}
    message = _value(record.body)
    text = message if isinstance(message, str) else json.encode(message).decode()
    return pb.LogLine(
        subject=whom,
        at=_millis(record.time_unix_nano or record.observed_time_unix_nano),
        level=_level(record),
        message=text if len(text) <= _MESSAGE else text[: _MESSAGE - 1] + "…",
        task=own.get("lowtide.task", "")[:_TEXT],
        fields=json.encode(fields) if fields else b"",
        id=_digest(record.SerializeToString(deterministic=True)),
    )


def _level(record: LogRecord) -> str:
    for least, level in _SEVERITIES:
        if record.severity_number >= least:
            return level
    return _LEVELS.get(record.severity_text.lower(), "info" if not record.severity_text else "debug")


# ---------------------------------------------------------------- metrics


def _points(metric: Metric) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0


def _take(taken: _Taken, whom: pb.Subject, metric: Metric) -> None:
    kind = metric.WhichOneof("data")
    if kind not in ("gauge", "sum"):
        reason = f"metric {metric.name[:200]!r} is a {kind or 'metric without data'}; gauges and sums are taken"
        taken.refuse(_points(metric), reason)
        return
    points: Sequence[NumberDataPoint] = getattr(metric, kind).data_points
    for point in points:
        try:
            taken.batch.metrics.append(_sample(whom, metric.name, point))
        except _Refused as refused:
            taken.refuse(1, str(refused))


def _sample(whom: pb.Subject, name: str, point: NumberDataPoint) -> pb.MetricSample:
    if not name or len(name) > _TEXT:
        raise _Refused(f"a metric's name has 1 to {_TEXT} characters")
    which = point.WhichOneof("value")
    if which is None:
        raise _Refused(f"a point of {name[:200]!r} has no value")
    value = float(getattr(point, which))
    if not math.isfinite(value):
        raise _Refused(f"a point of {name[:200]!r} is {value}")
    if len(point.attributes) > _MOST_LABELS:
        raise _Refused(f"a point of {name[:200]!r} has more than {_MOST_LABELS} attributes")
    said = f"{whom.SerializeToString(deterministic=True).hex()} {name} ".encode()
    return pb.MetricSample(
        subject=whom,
        at=_millis(point.time_unix_nano),
        name=name,
        value=value,
        labels={one.key: _label(one) for one in point.attributes},
        id=_digest(said + point.SerializeToString(deterministic=True)),
    )


def _label(attribute: KeyValue) -> str:
    value = _value(attribute.value)
    return (value if isinstance(value, str) else json.encode(value).decode())[:_TEXT]


# ---------------------------------------------------------------- values


def _millis(nanos: int) -> int:
    """Raises :class:`_Refused` where it says no moment that a database has."""
    millis = nanos // 1_000_000
    if not 0 < millis <= _LATEST:
        raise _Refused("a record has no time, or one after the year 9999")
    return millis


def _value(value: AnyValue, depth: int = 0) -> Any:
    """As JSON; numbers that JSON has not, and bytes, are texts."""
    if depth > _DEEPEST:
        raise _Refused(f"a value is nested more than {_DEEPEST} levels deep")
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(one, depth + 1) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: _value(one.value, depth + 1) for one in value.kvlist_value.values}
        case "bytes_value":
            return value.bytes_value.hex()
        case "double_value":
            number = value.double_value
            return number if math.isfinite(number) else str(number)
        case None:
            return ""
        case name:
            return getattr(value, name)


def _digest(said: bytes) -> str:
    return blake2b(said, digest_size=16).hexdigest()
