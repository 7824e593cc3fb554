"""What each broker promises of its own: groups and acknowledgements, users, TLS, and what happens when it dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme

from lowtide.effects import EffectTable, build
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from tests.eventually import eventually
from tests.integration.effects.asyncapi.described import Described, exchanged, failure, output
from tests.standins import brokers

pytestmark = pytest.mark.anyio

BASIC = {"basic": {"username": "ann", "password": "s3cret-word"}}
WRONG = {"basic": {"username": "ann", "password": "n0t-the-word"}}


def host(broker: brokers.Broker) -> str:
    return f"localhost:{broker.port}"


class Consumer:
    """One process that asks for a subscription's messages, command by command."""

    def __init__(self, described: Described) -> None:
        self.effects: EffectTable = build(allow_loopback=True, allow_files=True, http_timeout=90)
        self.described = described

    async def ask(self, batch: int, take: int = 1, acknowledged: int = 0, cursor: Any = None) -> Any:
        return await self._send(batch, {"take": take, "acknowledged": acknowledged, "cursor": cursor, "for": 60_000})

    async def close(self, batch: int, acknowledged: int) -> None:
        await self._send(batch, {"close": True, "acknowledged": acknowledged})

    async def _send(self, batch: int, subscription: Any) -> Any:
        arguments = {"document": self.described.written(), "operation": "o", "subscription": subscription}
        command = Perform(id=f"/do/0/x@0.1!batch{batch}", call="asyncapi", arguments=arguments, reference="/do/0/x")
        return await self.effects.perform(command, f"e{command.id}")


def payloads(batch: Any) -> list[Any]:
    return [message["payload"] for message in batch["messages"]]


async def _declare(broker: brokers.Broker, queue: str) -> None:
    import aio_pika

    async with await aio_pika.connect(host="127.0.0.1", port=broker.port) as connection:
        await (await connection.channel()).declare_queue(queue, durable=True)


async def test_rabbitmq(tmp_path: Path) -> None:
    """One broker for all of it: it takes long to start."""
    with brokers.rabbitmq(tmp_path) as broker:
        queue = Described(tmp_path, "amqp", host(broker), address="jobs", channel={"is": "queue"})
        kind, status, detail = failure(await queue.subscribe({"consume": {"amount": 1}}))
        assert (kind, status) == ("communication", 404), detail
        kind, status, detail = failure(await queue.publish({"payload": 0}))
        assert (kind, status) == ("communication", 404), detail
        assert "no queue took" in detail
        kind, status, detail = failure(await queue.publish({"payload": 0}, authentication=WRONG))
        assert (kind, status) == ("authentication", 401)
        assert "n0t" not in detail

        await _declare(broker, "jobs")
        for number in range(3):
            output(await queue.publish({"payload": number}))
        dies = Consumer(queue)
        assert payloads(await dies.ask(1)) == [0]
        assert payloads(await dies.ask(2, acknowledged=1)) == [1]
        assert payloads(await dies.ask(2, acknowledged=1)) == [1], "the same command again has the same answer"
        await dies.effects.close()  # with its process, before 1 was acknowledged
        output_of_next = await queue.subscribe({"consume": {"until": ".payload == 2"}})
        assert [message["payload"] for message in output(output_of_next)] == [1]
        assert [message["payload"] for message in output(await queue.subscribe({"consume": {"amount": 1}}))] == [2]

        waiting = asyncio.ensure_future(queue.subscribe({"consume": {"amount": 1}}))
        await asyncio.sleep(0.5)
        broker.kill()
        kind, _, detail = failure(await waiting)
        assert kind == "communication", detail


async def test_a_group_of_kafka_goes_on_where_the_journal_is(tmp_path: Path) -> None:
    with brokers.kafka(tmp_path, "things") as broker:
        thing = Described(
            tmp_path, "kafka", host(broker), operation={"groupId": {"type": "string", "enum": ["readers"]}}
        )
        for number in range(4):
            output(await thing.publish({"payload": number}))
        dies = Consumer(thing)
        first = await dies.ask(1)
        assert payloads(first) == [0]
        second = await dies.ask(2, acknowledged=1, cursor=first["cursor"])
        assert payloads(second) == [1]
        await dies.effects.close()  # after 1 came to the journal, before it was acknowledged
        lives = Consumer(thing)
        assert payloads(await lives.ask(3, acknowledged=1, cursor=second["cursor"])) == [2]
        await lives.close(4, acknowledged=1)
        await lives.effects.close()
        assert payloads({"messages": output(await thing.subscribe({"consume": {"amount": 1}}))}) == [3]


async def test_without_a_group_kafka_goes_on_at_the_cursor(tmp_path: Path) -> None:
    with brokers.kafka(tmp_path, "things") as broker:
        thing = Described(tmp_path, "kafka", host(broker))
        for number in range(3):
            output(await thing.publish({"payload": number}))
        consumer = Consumer(thing)
        assert payloads(await consumer.ask(1, cursor={"0": 1})) == [1]
        assert payloads(await consumer.ask(2, acknowledged=1)) == [2]
        await consumer.effects.close()
        thing.document["channels"]["c"]["address"] = "nothing"
        assert failure(await thing.subscribe({"consume": {"amount": 1}}))[:2] == ("communication", 404)


async def test_a_broker_that_kafka_tells_of_is_checked_too(tmp_path: Path) -> None:
    with brokers.kafka(tmp_path, "things", advertised="tcp://169.254.169.254:80") as broker:
        thing = Described(tmp_path, "kafka", host(broker))
        kind, _, detail = failure(await thing.publish({"payload": 1}))
        assert kind == "authorization", detail
        assert "169.254.169.254" in detail
        assert failure(await thing.subscribe({"consume": {"amount": 1}}))[:2] == ("authorization", 403)


async def test_a_mosquitto_with_users_and_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    identity = authority.issue_cert("localhost")
    identity.private_key_pem.write_to_path(tmp_path / "key.pem")
    identity.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = (f"keyfile {tmp_path}/key.pem", f"certfile {tmp_path}/cert.pem")
    with brokers.mosquitto(tmp_path, *options, user=("ann", "s3cret-word")) as broker:
        for protocol, version in (("mqtts", "3.1.1"), ("mqtts", "5.0")):
            thing = Described(tmp_path, protocol, host(broker), server={"protocolVersion": version})
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            kind, _, detail = failure(await thing.publish({"payload": 1}, authentication=BASIC))
            assert (kind, "certificate" in detail) == ("communication", True), detail
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            (message,) = await exchanged(thing, {"consume": {"amount": 1}}, {"payload": 1}, authentication=BASIC)
            assert message["payload"] == 1
            kind, _, detail = failure(await thing.publish({"payload": 1}, authentication=WRONG))
            assert kind in {"authentication", "authorization"}, detail
            assert "n0t" not in detail
            thing.document["servers"]["main"]["host"] = f"127.0.0.1:{broker.port}"  # a name that is not its own
            kind, _, detail = failure(await thing.publish({"payload": 1}, authentication=BASIC))
            assert (kind, "certificate" in detail) == ("communication", True), detail


async def test_mqtt_keeps_messages_for_a_client_that_has_a_name(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as broker:
        peer = {"clientId": "reader", "cleanSession": False}
        for protocol, version in (("mqtt", "3.1.1"), ("mqtt", "5.0")):
            thing = Described(tmp_path, protocol, host(broker), server={"protocolVersion": version}, peer=peer)
            output(await thing.subscribe({"consume": {"amount": 1, "for": {"milliseconds": 500}}}))
            output(await thing.publish({"payload": version}))
            assert payloads({"messages": output(await thing.subscribe({"consume": {"amount": 1}}))}) == [version]


async def test_mqtt_retains_where_the_binding_says_so(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as broker:
        thing = Described(tmp_path, "mqtt", host(broker), operation={"retain": True, "qos": 2})
        output(await thing.publish({"payload": "kept"}))
        assert payloads({"messages": output(await thing.subscribe({"consume": {"amount": 1}}))}) == ["kept"]


async def test_redis_with_a_password_and_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    identity = authority.issue_cert("localhost")
    identity.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    both, ca = str(tmp_path / "both.pem"), str(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    options = ("--requirepass", "s3cret-word", "--tls-auth-clients", "no")
    files = ("--tls-cert-file", both, "--tls-key-file", both, "--tls-ca-cert-file", ca)
    with brokers.redis(tmp_path, *options, *files, tls=True) as broker:
        thing = Described(tmp_path, "rediss", host(broker))
        default = {"basic": {"username": "default", "password": "s3cret-word"}}
        assert len(await exchanged(thing, {"consume": {"amount": 1}}, {"payload": 1}, authentication=default)) == 1
        kind, status, _ = failure(await thing.publish({"payload": 1}, authentication=WRONG))
        assert (kind, status) == ("authentication", 401)
        kind, status, _ = failure(await thing.publish({"payload": 1}))
        assert (kind, status) == ("authentication", 401)


async def test_nats_with_a_user_and_with_a_token(tmp_path: Path) -> None:
    with brokers.nats(tmp_path, "--user", "ann", "--pass", "s3cret-word") as broker:
        thing = Described(tmp_path, "nats", host(broker))
        assert len(await exchanged(thing, {"consume": {"amount": 1}}, {"payload": 1}, authentication=BASIC)) == 1
        kind, status, detail = failure(await thing.publish({"payload": 1}, authentication=WRONG))
        assert (kind, status) == ("authentication", 401), detail
    with brokers.nats(tmp_path, "--auth", "s3cret-token") as broker:
        thing = Described(tmp_path, "nats", host(broker))
        output(await thing.publish({"payload": 1}, authentication={"bearer": {"token": "s3cret-token"}}))


async def _until_it_fails(consumer: Consumer) -> None:
    """What had come before the end is handed over first."""
    for batch in range(2, 200):
        await consumer.ask(batch, take=10, acknowledged=1)


@pytest.mark.parametrize("name", ["nats", "redis", "mosquitto"])
async def test_a_broker_that_dies_fails_the_subscription(tmp_path: Path, name: str) -> None:
    protocol = {"mosquitto": "mqtt"}.get(name, name)
    with getattr(brokers, name)(tmp_path) as broker:
        thing = Described(tmp_path, protocol, host(broker))
        consumer = Consumer(thing)
        asked = asyncio.ensure_future(consumer.ask(1))
        async for attempt in eventually():
            output(await thing.publish({"payload": 1}))
            with attempt:
                assert asked.done()
        await asked
        broker.kill()
        with pytest.raises(TaskFailed, match=f"at {protocol}://localhost"):
            await _until_it_fails(consumer)
        await consumer.effects.close()
