"""What any gRPC tool expects of a server: health and reflection."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.databases import outage
from tests.ingests import IngestProcess

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@pytest.mark.parametrize("service", ["", "lowtide.rpc.v1.Ingest"])
async def test_health_answers_serving(ingest: IngestProcess, service: str) -> None:
    async with grpc.aio.insecure_channel(ingest.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_says_which_store_cannot_be_used_and_why(postgres: str, ingest: IngestProcess) -> None:
    async def asked(service: str) -> tuple[int, str]:
        call = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        told = {key: str(value) for key, value in await call.trailing_metadata()}
        return (await call).status, told.get("lowtide-reason", "")

    async with grpc.aio.insecure_channel(ingest.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for store in ("journal", "analytics"):
            assert await asked(store) == (health_pb2.HealthCheckResponse.SERVING, "")
        with outage(postgres, ingest.stores.analytics):
            status, reason = await asked("analytics")
            assert status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert reason.startswith("the analytics store cannot be reached: ")
            assert await asked("journal") == (health_pb2.HealthCheckResponse.SERVING, "")
        assert await asked("analytics") == (health_pb2.HealthCheckResponse.SERVING, "")


async def test_reflection_names_the_services(ingest: IngestProcess) -> None:
    async with grpc.aio.insecure_channel(ingest.target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10)
        names = {service.name async for reply in call for service in reply.list_services_response.service}
        assert {"lowtide.rpc.v1.Ingest", "grpc.health.v1.Health"} <= names
