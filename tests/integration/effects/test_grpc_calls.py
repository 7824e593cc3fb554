"""``call: grpc`` against real grpcio servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from lowtide.effects import EffectTable, build
from tests.effecting import fault, output
from tests.integration.effects.greeters import PROTO, Greeter, greeter
from tests.peers import peer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Greeter, Path]]:
    folder = tmp_path_factory.mktemp("proto")
    with greeter(folder) as made:
        yield made, folder


@pytest.fixture
def server(served: tuple[Greeter, Path]) -> Iterator[Greeter]:
    made, _ = served
    made.metadata.clear()
    yield made
    made.fails, made.delay = None, 0.0


@pytest.fixture
def folder(served: tuple[Greeter, Path]) -> Path:
    return served[1]


@pytest.fixture(scope="module")
def effects(served: tuple[Greeter, Path]) -> EffectTable:
    """One for all, so that the proto is compiled once; it opens nothing that would have to be closed."""
    return build(allow_loopback=True, allow_files=True, base=served[1])


def greet(server: Greeter, *, method: str = "SayHello", arguments: str = "{userName: Ada}", **other: Any) -> str:
    given = {
        "proto": "file:greet.proto",
        "service": "tests.greeting.Greeter",
        "host": "127.0.0.1",
        "port": server.port,
        "authentication": "",
        "timeout": "PT10S",
        **other,
    }
    return f"""
        do:
          - greet:
              call: grpc
              timeout: {{after: {given["timeout"]}}}
              with:
                proto: {{endpoint: {given["proto"]!r}}}
                service:
                  name: {given["service"]}
                  host: {given["host"]}
                  port: {given["port"]}
                  {given["authentication"]}
                method: {method}
                arguments: {arguments}
        """


async def test_a_unary_call_gives_the_message_with_its_defaults(server: Greeter, effects: EffectTable) -> None:
    given = "{userName: '${ .name }', count: 9007199254740993, mood: GLAD, at: '2026-01-02T03:04:05Z'}"
    result = await output(greet(server, arguments=given), {"name": "Ada"}, shared=effects)
    assert result == {
        "message": "Hello Ada",
        "count": "9007199254740993",
        "polite": False,
        "mood": "GLAD",
        "names": [],
    }


async def test_the_proto_s_own_names_are_read_too(server: Greeter, effects: EffectTable) -> None:
    result = await output(greet(server, arguments="{user_name: Bo}"), shared=effects)
    assert result["message"] == "Hello Bo"


async def test_a_stream_of_results_becomes_an_array(server: Greeter, effects: EffectTable) -> None:
    result = await output(greet(server, method="SayOften", arguments="{userName: Ada, count: 3}"), shared=effects)
    assert [one["count"] for one in result] == ["0", "1", "2"]


async def test_a_method_that_takes_a_stream_is_sent_every_message(server: Greeter, effects: EffectTable) -> None:
    given = "{messages: [{userName: Ada}, {userName: Bo}]}"
    result = await output(greet(server, method="SayToAll", arguments=given), shared=effects)
    assert result["names"] == ["Ada", "Bo"]
    result = await output(greet(server, method="SayToAll", arguments="{userName: Ada}"), shared=effects)
    assert result["names"] == ["Ada"]


async def test_streams_of_both_sides_are_arrays(server: Greeter, effects: EffectTable) -> None:
    given = "{messages: [{userName: Ada}, {userName: Bo}]}"
    result = await output(greet(server, method="Chat", arguments=given), shared=effects)
    assert [one["message"] for one in result] == ["Hello Ada", "Hello Bo"]


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        ("{basic: {username: ada, password: secret}}", "Basic YWRhOnNlY3JldA=="),
        ("{bearer: {token: abc}}", "Bearer abc"),
    ],
)
async def test_authentication_is_sent_as_metadata(
    server: Greeter, effects: EffectTable, policy: str, sent: str
) -> None:
    await output(greet(server, authentication=f"authentication: {policy}"), shared=effects)
    [metadata] = server.metadata
    assert metadata["authorization"] == sent
    assert "do/0/greet" in metadata["idempotency-key"]


async def test_tls_is_spoken_where_the_host_is_written_with_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")  # so that nothing stands between it and gRPC's own list
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    with greeter(tmp_path, key=certificate.private_key_pem.bytes(), chain=chain) as server:
        document = greet(server, host="https://localhost")
        kind, status, _ = await fault(document, base=tmp_path)
        assert (kind, status) == ("communication", 503), "its certificate is of nobody that is trusted"
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert (await output(document, base=tmp_path))["message"] == "Hello Ada"


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "validation", 400),
        (grpc.StatusCode.UNAUTHENTICATED, "authentication", 401),
        (grpc.StatusCode.PERMISSION_DENIED, "authorization", 403),
        (grpc.StatusCode.NOT_FOUND, "communication", 404),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "communication", 429),
        (grpc.StatusCode.INTERNAL, "communication", 500),
        (grpc.StatusCode.UNAVAILABLE, "communication", 503),
    ],
)
async def test_grpc_codes_are_standard_errors(
    server: Greeter, effects: EffectTable, code: grpc.StatusCode, kind: str, status: int
) -> None:
    server.fails = code
    found = await fault(greet(server), shared=effects)
    assert found[:2] == (kind, status)
    assert code.name in found[2]
    assert f"it is {code.name.lower()}" in found[2]


async def test_a_call_that_takes_longer_than_its_timeout_fails_with_timeout(
    server: Greeter, effects: EffectTable
) -> None:
    server.delay = 1.5
    assert (await fault(greet(server, timeout="PT0.8S"), shared=effects))[:2] == ("timeout", 408)


async def test_arguments_that_do_not_fit_the_message_are_a_validation_error(
    server: Greeter, effects: EffectTable
) -> None:
    kind, status, detail = await fault(greet(server, arguments="{nobody: 1}"), shared=effects)
    assert (kind, status) == ("validation", 400)
    assert "nobody" in detail
    assert not server.metadata


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"method": "Sing"}, "SayHello, SayOften"), ({"service": "tests.Other"}, "tests.greeting.Greeter")],
)
async def test_an_unknown_service_or_method_names_those_that_there_are(
    server: Greeter, effects: EffectTable, changed: dict[str, str], says: str
) -> None:
    kind, status, detail = await fault(greet(server, **changed), shared=effects)
    assert (kind, status) == ("configuration", 400)
    assert says in detail


async def test_nobody_listening_is_a_communication_error(server: Greeter, effects: EffectTable) -> None:
    assert (await fault(greet(server, port=1), shared=effects))[:2] == ("communication", 503)


async def test_loopback_is_refused_where_it_is_not_allowed(server: Greeter, folder: Path) -> None:
    guarded = build(allow_files=True, base=folder)
    for host in ("127.0.0.1", "localhost", "'[::1]'", "169.254.169.254"):
        assert (await fault(greet(server, host=host), shared=guarded))[:2] == ("authorization", 403)
    assert not server.metadata


async def test_the_proto_and_its_imports_are_fetched_over_http_with_authentication(server: Greeter) -> None:
    files = {
        "/protos/greet.proto": PROTO.replace(
            "enum Mood { CALM = 0; GLAD = 1; }", 'import "parts/mood.proto";'
        ).encode(),
        "/protos/parts/mood.proto": b'syntax = "proto3"; package tests.greeting; enum Mood { CALM = 0; GLAD = 1; }',
    }
    with peer(lambda request: (200, files[request.path])) as site:
        document = greet(server).replace(
            "{endpoint: 'file:greet.proto'}",
            f"{{endpoint: {{uri: '{site.url}/protos/greet.proto', authentication: {{bearer: {{token: abc}}}}}}}}",
        )
        assert (await output(document))["message"] == "Hello Ada"
        assert [request.path for request in site.requests] == list(files)
        assert {request.headers["authorization"] for request in site.requests} == {"Bearer abc"}


async def test_imports_may_be_written_from_the_root_of_a_source_tree(server: Greeter) -> None:
    files = {
        "/tree/tests/greeting/greet.proto": PROTO.replace(
            "enum Mood { CALM = 0; GLAD = 1; }", 'import "tests/parts/mood.proto";'
        ).encode(),
        "/tree/tests/parts/mood.proto": b'syntax = "proto3"; package tests.greeting; enum Mood { CALM = 0; GLAD = 1; }',
    }
    with peer(lambda request: (200, files[request.path])) as site:
        document = greet(server, proto=f"{site.url}/tree/tests/greeting/greet.proto")
        assert (await output(document))["message"] == "Hello Ada"


async def test_a_proto_that_does_not_compile_is_told_with_its_line(server: Greeter, tmp_path: Path) -> None:
    (tmp_path / "greet.proto").write_text('syntax = "proto3";\nmessage Reply { Nobody who = 1; }\n')
    kind, status, detail = await fault(greet(server), base=tmp_path)
    assert (kind, status) == ("configuration", 400)
    assert 'greet.proto:2:17: "Nobody" is not defined' in detail


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [(404, "communication", 404), (401, "authentication", 401), (503, "communication", 503)],
)
async def test_a_proto_that_cannot_be_had_is_an_error_with_the_status(
    server: Greeter, answer: int, kind: str, status: int
) -> None:
    with peer(lambda request: (answer, {})) as site:
        assert (await fault(greet(server, proto=f"{site.url}/greet.proto")))[:2] == (kind, status)


async def test_files_are_read_only_where_that_is_allowed(server: Greeter, folder: Path) -> None:
    kind, status, detail = await fault(greet(server), base=folder, allow_files=False)
    assert (kind, status) == ("authorization", 403)
    assert "LOWTIDE_ALLOW_FILES" in detail
    assert (await fault(greet(server, proto="file://app/none.proto"), base=folder))[:2] == ("configuration", 400)


@pytest.mark.parametrize("missing", ["grpc.aio", "grpc_tools"])
async def test_without_its_extra_the_call_says_what_to_install(
    server: Greeter, folder: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    monkeypatch.setenv("PATH", "/nowhere")
    kind, status, detail = await fault(greet(server), base=folder)
    assert (kind, status) == ("configuration", 400)
    assert "pip install 'lowtide[grpc]'" in detail
