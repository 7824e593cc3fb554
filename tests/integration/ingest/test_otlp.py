"""Logs and metrics that others send by OpenTelemetry's own exporters, and by hand what no exporter sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import psycopg
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tests.databases import outage
from tests.eventually import eventually
from tests.ingests import IngestProcess, Stores, make_stores
from tests.integration.ingest.protocol import execution

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_NOW = 1_800_000_000_123_000_000


@pytest.fixture(scope="module")
def taking(postgres: str) -> Iterator[IngestProcess]:
    with make_stores(postgres) as stores:
        process = IngestProcess(stores, otlp_intake="true")
        try:
            yield process.wait_until_listening()
        finally:
            process.close()


@pytest.fixture
async def channel(taking: IngestProcess) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(taking.target) as channel:
        yield channel


def _rows(stores: Stores, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(stores.analytics) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def _about(one: str, **more: str) -> dict[str, str]:
    named = {"namespace": "shop", "workflow": "order", "version": "1.0.0", "execution": one, **more}
    return {f"lowtide.{name}": value for name, value in named.items() if value}


def _attributes(given: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"string_value": value}} for name, value in given.items()]


async def test_lines_and_samples_of_the_real_sdk_are_found_by_their_execution(taking: IngestProcess) -> None:
    one = str(execution())

    def send() -> None:
        resource = Resource.create(_about(one))
        provider = LoggerProvider(resource=resource)
        exporter = OTLPLogExporter(endpoint=taking.target, insecure=True)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        said: dict[str, Any] = {"weight": 3, "lowtide.task": "/do/0/ship@1.1"}
        record = LogRecord(timestamp=_NOW, severity_number=SeverityNumber.WARN, body="a parcel left", attributes=said)
        provider.get_logger("parcels").emit(record)
        provider.shutdown()
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=taking.target, insecure=True))
        meters = MeterProvider([reader], resource=resource)
        meters.get_meter("parcels").create_counter("parcels").add(2, {"size": "small"})
        meters.shutdown()

    await asyncio.to_thread(send)
    async for attempt in eventually():
        with attempt:
            query = "SELECT level, message, task, fields ->> 'weight', workflow, version FROM logs WHERE execution = %s"
            expected = [("warning", "a parcel left", "/do/0/ship@1.1", "3", "order", "1.0.0")]
            assert _rows(taking.stores, query, one) == expected
            query = "SELECT name, value, labels FROM metric_samples WHERE execution = %s"
            assert _rows(taking.stores, query, one) == [("parcels", 2.0, {"size": "small"})]


async def test_what_does_not_fit_is_refused_with_a_reason_and_the_rest_is_taken_once(
    taking: IngestProcess, channel: grpc.aio.Channel
) -> None:
    one, nested = str(execution()), {"string_value": "deep"}
    for _ in range(30):
        nested = {"array_value": {"values": [nested]}}  # type: ignore[dict-item]
    records = [
        {"time_unix_nano": _NOW, "severity_number": 17, "body": {"kvlist_value": {"values": _attributes({"a": "b"})}}},
        {"time_unix_nano": _NOW, "severity_text": "WARN", "body": {"string_value": "x" * 100_000}, "trace_id": b"abc"},
        {"body": {"string_value": "without a time"}},
        {"time_unix_nano": _NOW, "body": nested},
    ]
    of_one: Any = {"resource": {"attributes": _attributes(_about(one))}, "scope_logs": [{"log_records": records}]}
    of_none: Any = {"resource": {"attributes": _attributes(_about(""))}, "scope_logs": [{"log_records": records}]}
    of_odd: Any = {"resource": {"attributes": _attributes(_about("x"))}, "scope_logs": [{"log_records": records}]}
    stub = LogsServiceStub(channel)  # type: ignore[no-untyped-call]
    for _ in range(2):
        request = logs.ExportLogsServiceRequest(resource_logs=[of_none, of_odd, of_one])
        answer = await stub.Export(request, timeout=10)
        assert answer.partial_success.rejected_log_records == 10
        reason = "the resource has no attribute lowtide.execution; set it in OTEL_RESOURCE_ATTRIBUTES"
        assert answer.partial_success.error_message == reason
    async for attempt in eventually():
        with attempt:
            query = "SELECT level, length(message), fields FROM logs WHERE execution = %s ORDER BY 1"
            expected = [("error", len(json.dumps({"a": "b"}, separators=(",", ":"))), None)]
            expected.append(("warning", 64 * 1024, {"trace_id": b"abc".hex()}))  # type: ignore[arg-type]
            assert _rows(taking.stores, query, one) == expected


async def test_only_gauges_and_sums_with_a_value_are_taken(taking: IngestProcess, channel: grpc.aio.Channel) -> None:
    name = f"measured-{execution()}"
    points = [{"time_unix_nano": _NOW, "as_double": value} for value in (1.5, float("nan"))]
    found = [
        {"name": name, "gauge": {"data_points": [*points, {"time_unix_nano": _NOW}]}},
        {"name": name, "sum": {"data_points": [{"time_unix_nano": _NOW + 10**6, "as_int": 4}]}},
        {"name": name, "histogram": {"data_points": [{"time_unix_nano": _NOW, "count": 2}]}},
        {"name": "", "gauge": {"data_points": [points[0]]}},
    ]
    resource = {"attributes": _attributes(_about(""))}
    request = metrics.ExportMetricsServiceRequest(
        resource_metrics=[{"resource": resource, "scope_metrics": [{"metrics": found}]}]  # type: ignore[list-item]
    )
    stub = MetricsServiceStub(channel)  # type: ignore[no-untyped-call]
    answer = await stub.Export(request, timeout=10)
    assert answer.partial_success.rejected_data_points == 4
    assert answer.partial_success.error_message
    async for attempt in eventually():
        with attempt:
            query = "SELECT value, execution FROM metric_samples WHERE name = %s ORDER BY 1"
            assert _rows(taking.stores, query, name) == [(1.5, None), (4.0, None)]


async def test_whoever_did_not_ask_for_it_does_not_have_it(ingest: IngestProcess) -> None:
    async with grpc.aio.insecure_channel(ingest.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await LogsServiceStub(channel).Export(logs.ExportLogsServiceRequest(), timeout=10)  # type: ignore[no-untyped-call]
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_while_the_store_is_away_exporters_are_told_to_come_again(
    postgres: str, taking: IngestProcess, channel: grpc.aio.Channel
) -> None:
    one = str(execution())
    record = {"time_unix_nano": _NOW, "body": {"string_value": "again"}}
    resource = {"attributes": _attributes(_about(one))}
    request = logs.ExportLogsServiceRequest(
        resource_logs=[{"resource": resource, "scope_logs": [{"log_records": [record]}]}]  # type: ignore[list-item]
    )
    stub = LogsServiceStub(channel)  # type: ignore[no-untyped-call]

    async def sent() -> grpc.StatusCode:
        call = stub.Export(request, timeout=10)
        return await call.code()  # type: ignore[no-any-return]

    with outage(postgres, taking.stores.analytics):
        async for attempt in eventually(seconds=30):
            with attempt:
                assert await sent() == grpc.StatusCode.UNAVAILABLE
    async for attempt in eventually():
        with attempt:
            assert _rows(taking.stores, "SELECT message FROM logs WHERE execution = %s", one) == [("again",)]
