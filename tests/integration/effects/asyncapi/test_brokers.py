"""What holds for every protocol of a broker, against real brokers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.effects.asyncapi.described import Described, exchanged, failure, output
from tests.standins import brokers
from tests.standins.brokers import Broker

pytestmark = pytest.mark.anyio

Started = Callable[[Path], AbstractContextManager[Broker]]
PROTOCOLS: dict[str, Started] = {
    "nats": brokers.nats,
    "redis": brokers.redis,
    "mqtt": brokers.mosquitto,
    "mqtt5": brokers.mosquitto,
    "amqp": brokers.rabbitmq,
    "kafka": lambda folder: brokers.kafka(folder, "things", "refused"),
}
WITH_HEADERS = ("nats", "mqtt5", "amqp", "kafka")
EXCHANGE: Any = {"channel": {"is": "routingKey", "exchange": {"name": "amq.topic"}}, "operation": {"mandatory": False}}


@pytest.fixture(scope="module", params=PROTOCOLS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Broker]]:
    with PROTOCOLS[request.param](tmp_path_factory.mktemp(request.param)) as broker:
        yield request.param, broker


@pytest.fixture
def described(served: tuple[str, Broker], tmp_path: Path) -> Described:
    protocol, broker = served
    bindings = EXCHANGE if protocol == "amqp" else {}
    return Described(tmp_path, protocol, f"localhost:{broker.port}", **bindings)


async def test_what_is_published_is_consumed(described: Described) -> None:
    consumed = await exchanged(described, {"consume": {"amount": 2}}, {"payload": {"n": 1, "name": "é"}})
    assert [message["payload"] for message in consumed] == [{"n": 1, "name": "é"}] * 2


async def test_messages_are_consumed_in_the_order_in_which_they_came(described: Described) -> None:
    numbers = [{"payload": number} for number in range(3)]
    consumed = [message["payload"] for message in await exchanged(described, {"consume": {"amount": 7}}, *numbers)]
    assert consumed == [(consumed[0] + place) % 3 for place in range(7)]


async def test_headers_travel_with_a_message_where_there_are_any(
    described: Described, served: tuple[str, Broker]
) -> None:
    message = {"payload": {"n": 1}, "headers": {"kind": "order", "correlationId": "c-7", "count": 3}}
    if served[0] not in WITH_HEADERS:
        kind, status, detail = failure(await described.publish(message))
        assert (kind, status) == ("configuration", 400)
        assert "have no headers" in detail
        return
    (consumed,) = await exchanged(described, {"consume": {"amount": 1}}, message)
    assert consumed["headers"]["kind"] == "order"
    assert consumed["headers"]["count"] == "3"
    assert consumed["headers"]["idempotency-key"].endswith("/do/0/x@1.1")
    assert consumed["correlationId"] == "c-7"


async def test_the_output_of_a_publication_is_the_message(described: Described) -> None:
    assert output(await described.publish({"payload": {"n": 1}})) == {"payload": {"n": 1}, "headers": {}}


async def test_a_period_without_messages_gives_an_empty_array(described: Described) -> None:
    assert output(await described.subscribe({"consume": {"amount": 1, "for": {"milliseconds": 400}}})) == []


async def test_a_period_ends_a_subscription_that_waits(described: Described) -> None:
    subscription = {"filter": ".payload == 2", "consume": {"amount": 1, "for": {"seconds": 2}}}
    assert await exchanged(described, subscription, {"payload": 1}) == []


async def test_a_loopback_address_is_refused_unless_it_is_allowed(described: Described) -> None:
    described.allowed = {"allow_loopback": False}
    for outcome in (await described.publish({"payload": 1}), await described.subscribe({"consume": {"amount": 1}})):
        kind, status, detail = failure(outcome)
        assert (kind, status) == ("authorization", 403)
        assert "LOWTIDE_ALLOW_LOOPBACK" in detail


async def test_a_metadata_address_is_always_refused(described: Described) -> None:
    described.document["servers"]["main"]["host"] = "169.254.169.254:80"
    assert failure(await described.publish({"payload": 1}))[:2] == ("authorization", 403)


async def test_a_broker_that_is_not_there_is_a_communication_error(described: Described) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        described.document["servers"]["main"]["host"] = f"127.0.0.1:{probe.getsockname()[1]}"
        for outcome in (await described.publish({"payload": 1}), await described.subscribe({"consume": {"amount": 1}})):
            kind, status, detail = failure(outcome)
            assert (kind, status) == ("communication", 500)
            assert "no connection" in detail


async def test_a_peer_that_says_nothing_costs_the_task_no_more_than_its_time(described: Described) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        described.document["servers"]["main"]["host"] = f"127.0.0.1:{silent.getsockname()[1]}"
        described.allowed = {"http_timeout": 1.5, "http_connect_timeout": 0.7}
        kind, _, _ = failure(await described.publish({"payload": 1}))
        assert kind in {"timeout", "communication"}
