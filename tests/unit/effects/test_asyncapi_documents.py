"""AsyncAPI documents -> where a message goes and what protocol takes it there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.effects.asyncapi.document import parse
from lowtide.effects.asyncapi.message import Incoming, outgoing, shown
from lowtide.effects.asyncapi.target import Target, target_of
from lowtide.errors import TaskFailed

SEND: dict[str, Any] = {"operation": "send", "message": {"payload": {"id": 7}}}


def three(**more: Any) -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "servers": {"main": {"host": "broker.example", "protocol": "mqtt"}},
        "channels": {"things": {"address": "things"}},
        "operations": {"send": {"action": "send", "channel": {"$ref": "#/channels/things"}}},
        **more,
    }


def two(server: dict[str, Any], **channel: Any) -> dict[str, Any]:
    return {"asyncapi": "2.6.0", "servers": {"main": server}, "channels": {"things": {"publish": {}, **channel}}}


def target(document: dict[str, Any], arguments: dict[str, Any] | None = None) -> Target:
    return target_of(parse(json.dumps(document).encode(), "http://x/asyncapi.json"), arguments or SEND)


def refused(document: dict[str, Any], arguments: dict[str, Any] | None = None) -> str:
    with pytest.raises(TaskFailed) as failed:
        target(document, arguments)
    assert failed.value.error.status == 400
    return failed.value.error.detail or ""


@pytest.mark.parametrize(
    ("url", "protocol", "expected"),
    [
        ("broker.example", "mqtt", ("mqtt", False, "broker.example", 1883, "")),
        ("mqtts://broker.example", "mqtt", ("mqtt", True, "broker.example", 8883, "")),
        ("broker.example:1", "secure-mqtt", ("mqtt", True, "broker.example", 1, "")),
        ("amqps://broker.example/shop", "amqps", ("amqp", True, "broker.example", 5671, "/shop")),
        ("kafka.example:9", "kafka-secure", ("kafka", True, "kafka.example", 9, "")),
        ("https://api.example/v1", "https", ("http", True, "api.example", 443, "/v1")),
        ("wss://api.example", "ws", ("ws", True, "api.example", 443, "")),
        ("[::1]:4222", "nats", ("nats", False, "::1", 4222, "")),
        ("redis://cache.example/2", "redis", ("redis", False, "cache.example", 6379, "/2")),
    ],
)
def test_a_server_s_address_is_read_as_documents_write_it(url: str, protocol: str, expected: tuple[Any, ...]) -> None:
    arguments = {"channel": "things", "message": {"payload": 1}}
    server = target(two({"url": url, "protocol": protocol}), arguments).server
    assert (server.protocol, server.tls, server.host, server.port, server.path) == expected


def test_mqtt_of_protocol_version_5_is_mqtt5() -> None:
    made = three(
        servers={
            "main": {
                "host": "b",
                "protocol": "mqtt",
                "protocolVersion": "5.0",
                "bindings": {"mqtt": {"clientId": "me"}},
            }
        }
    )
    found = target(made, {**SEND, "protocol": "mqtt5"})
    assert found.server.protocol == "mqtt5"
    assert found.server_bindings == {"clientId": "me"}


def test_the_first_server_of_the_channel_that_speaks_the_protocol_is_taken() -> None:
    servers = {name: {"host": name, "protocol": kind} for name, kind in (("a", "nats"), ("b", "ws"), ("c", "nats"))}
    channel = {"address": "t", "servers": [{"$ref": "#/servers/c"}, {"$ref": "#/servers/b"}]}
    made = three(servers=servers, channels={"things": channel})
    assert target(made).server.name == "c"
    assert target(made, {**SEND, "protocol": "ws"}).server.name == "b"
    assert target(made, {**SEND, "protocol": "ws", "server": {"name": "a"}}).server.name == "a"
    assert "no server for the protocol 'kafka'; it has c (nats), b (ws)" in refused(made, {**SEND, "protocol": "kafka"})


def test_references_and_traits_are_followed() -> None:
    made = three(
        channels={"things": {"$ref": "#/components/channels/t"}},
        operations={
            "send": {"channel": {"$ref": "#/channels/things"}, "traits": [{"$ref": "#/components/operationTraits/q"}]}
        },
        components={
            "channels": {"t": {"address": "deep", "messages": {"m": {"$ref": "#/components/messages/m"}}}},
            "messages": {"m": {"contentType": "text/plain", "bindings": {"mqtt": {"x": 1}}}},
            "operationTraits": {"q": {"bindings": {"mqtt": {"qos": 2}}}},
        },
    )
    found = target(made)
    assert (found.address, found.content_type, found.operation, found.message) == (
        "deep",
        "text/plain",
        {"qos": 2},
        {"x": 1},
    )


def test_a_channel_s_parameters_come_from_the_message_from_variables_or_by_default() -> None:
    parameters = {
        "id": {"location": "$message.payload#/id"},
        "area": {"default": "eu", "enum": ["eu", "us"]},
        "kind": {"location": "$message.header#/kind"},
    }
    made = three(channels={"things": {"address": "{area}/{id}/{kind}", "parameters": parameters}})
    message = {"payload": {"id": 7}, "headers": {"kind": "new"}}
    assert target(made, {**SEND, "message": message}).address == "eu/7/new"
    server = {"name": "main", "variables": {"area": "us", "kind": "old"}}
    assert target(made, {**SEND, "message": message, "server": server}).address == "us/7/old"
    assert "{kind}" in refused(made)
    mars = {"name": "main", "variables": {"area": "mars"}}
    assert "one of eu, us" in refused(made, {**SEND, "message": message, "server": mars})


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (three(asyncapi="1.2.0"), "AsyncAPI 1.2.0; Lowtide reads"),
        (three(operations={}), "no operation 'send'; it has none"),
        (three(operations={"send": {}}), "names no channel"),
        (three(operations={"send": {"channel": {"$ref": "other.yaml#/x"}}}), "leads out of the document"),
        (three(channels={"things": {"$ref": "#/channels/things"}}), "in circles"),
        (three(servers={}), "has no server; it has none"),
        (three(servers={"main": {"host": "x:y", "protocol": "ws"}}), "no address"),
        (three(servers={"main": {"protocol": "ws"}}), "names no host"),
    ],
)
def test_a_document_that_does_not_fit_says_what_is_wrong(document: dict[str, Any], says: str) -> None:
    assert says in refused(document)


def test_a_body_is_read_by_its_content_type_or_as_what_it_is() -> None:
    found = target(three())
    assert shown(Incoming(b'{"a": 1}'), found)["payload"] == {"a": 1}
    assert shown(Incoming(b"plain"), found)["payload"] == "plain"
    assert shown(Incoming(b"\xff\xfe"), found)["payload"] == "//4="
    assert shown(Incoming(b""), found)["payload"] is None
    assert shown(Incoming(b"1", content_type="text/plain"), found)["payload"] == "1"
    assert shown(Incoming(b"{no", content_type="application/json"), found)["payload"] == "{no"
    assert shown(Incoming(b"1", {"Correlation-Id": "c"}), found)["correlationId"] == "c"


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"a": "x\r\ny: z"}, {"": "x"}, ["a"]])
def test_headers_that_no_protocol_can_carry_are_refused(headers: Any) -> None:
    with pytest.raises(TaskFailed, match="header"):
        outgoing({"payload": 1, "headers": headers}, target(three()), "e/x@1")


def test_a_workflow_s_own_idempotency_key_is_kept() -> None:
    made = outgoing({"headers": {"Idempotency-Key": "mine"}}, target(three()), "e/x@1")
    assert made.headers == {"Idempotency-Key": "mine"}
    assert made.body == b""
