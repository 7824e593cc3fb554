"""OAuth 2 and OpenID Connect: workflows that bring tokens of an authorization server to a service that trusts it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lowtide.effects import EffectTable, build
from lowtide.errors import TaskFailed
from lowtide.runtime.clock import SystemClock
from tests.authorities import Authority, authority
from tests.effecting import output
from tests.integration.effects.visits import CLIENT, call, kind, refused, visit

pytestmark = pytest.mark.anyio

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture
def server() -> Iterator[Authority]:
    with authority() as made:
        yield made


@pytest.fixture
async def effects() -> AsyncIterator[EffectTable]:
    made = build(clock=SystemClock(), allow_loopback=True)
    yield made
    await made.close()


# ---------------------------------------------------------------- grants


async def test_client_credentials_give_a_bearer_token(effects: EffectTable, server: Authority) -> None:
    assert await call(effects, server, scopes=["read", "write"], audiences=["shop"]) == {"welcome": True}
    assert server.served == ["Bearer token-1"]
    assert server.asked == [
        {
            "grant_type": "client_credentials",
            "scope": "read write",
            "audience": "shop",
            "client_id": "app",
            "client_secret": "app-secret",
        }
    ]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (
            {"grant": "password", "username": "ada", "password": "pass-word"},
            {"grant_type": "password", "username": "ada", "password": "pass-word"},
        ),
        (
            {
                "grant": "authorization_code",
                "subject": {"token": "c0de", "type": "code"},
                "redirectUri": "https://app.example/back",
                "codeVerifier": "verifier",
            },
            {
                "grant_type": "authorization_code",
                "code": "c0de",
                "redirect_uri": "https://app.example/back",
                "code_verifier": "verifier",
            },
        ),
        (
            {"grant": "refresh_token", "subject": {"token": "refresh-0", "type": "refresh"}},
            {"grant_type": "refresh_token", "refresh_token": "refresh-0"},
        ),
        (
            {
                "grant": _EXCHANGE,
                "subject": {"token": "theirs", "type": "urn:ietf:params:oauth:token-type:jwt"},
                "actor": {"token": "mine", "type": "urn:ietf:params:oauth:token-type:access_token"},
                "audiences": ["a", "b"],
            },
            {
                "grant_type": _EXCHANGE,
                "subject_token": "theirs",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "actor_token": "mine",
                "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "audience": ["a", "b"],
            },
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "application/json"])
async def test_every_grant_asks_for_what_it_has(
    effects: EffectTable, server: Authority, given: dict[str, Any], asked: dict[str, Any], encoding: str
) -> None:
    server.refresh_tokens.add("refresh-0")
    await call(effects, server, client={"id": "app"}, request={"encoding": encoding}, **given)
    assert server.asked == [{**asked, "client_id": "app"}]


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ({"grant": "password", "username": "ada"}, "`password`"),
        ({"grant": "authorization_code"}, "the code as `subject.token`"),
        ({"grant": "refresh_token"}, "the refresh token as `subject.token`"),
        ({"grant": _EXCHANGE}, "the token to exchange as `subject.token`"),
        ({"grant": "magic"}, "`grant`"),
        ({"client": None}, "`client.id`"),
        ({"client": {"id": "a", "authentication": "client_secret_basic"}}, "`client.secret`"),
        ({"client": {"id": "a", "authentication": "private_key_jwt"}}, "`client.assertion`"),
        ({"client": {"id": "a", "authentication": "private_key_jwt", "assertion": "hush-hush"}}, "private key"),
        ({"scopes": {"hush-hush": 1}}, "`scopes`"),
        ({"authority": "somewhere"}, "http or https"),
    ],
)
async def test_what_a_configuration_lacks_is_named_and_nobody_is_asked(
    effects: EffectTable, server: Authority, given: dict[str, Any], lacks: str
) -> None:
    error = await refused(effects, server, **given)
    assert kind(error) == ("configuration", 400)
    assert lacks in str(error.detail)
    assert "hush-hush" not in str(error.detail)
    assert server.asked == []


# ---------------------------------------------------------------- where


async def test_the_token_endpoint_is_below_the_authority_unless_it_is_given(
    effects: EffectTable, server: Authority
) -> None:
    await call(effects, server, authority=f"{server.url}/realms/a/")
    await call(effects, server, endpoints={"token": "/connect/token"})
    await call(effects, server, authority="http://elsewhere.invalid", endpoints={"token": f"{server.url}/oauth2/token"})
    paths = [request.path for request in server.peer.requests if request.method == "POST"]
    assert paths == ["/realms/a/oauth2/token", "/connect/token", "/oauth2/token"]


@pytest.mark.parametrize("path", ["", "/", "/.well-known/openid-configuration"])
async def test_oidc_asks_the_authority_for_its_endpoints_once(
    effects: EffectTable, server: Authority, path: str
) -> None:
    for scopes in (["a"], ["b"]):
        await call(effects, server, "oidc", authority=server.url + path, scopes=scopes)
    assert server.discoveries == 1
    assert [request.path for request in server.peer.requests if request.method == "POST"] == ["/connect/token"] * 2


async def test_oidc_without_a_configuration_is_a_communication_error(effects: EffectTable, server: Authority) -> None:
    assert kind(await refused(effects, server, "oidc", authority=f"{server.url}/nowhere")) == ("communication", 401)


# ---------------------------------------------------------------- issuers


async def test_a_token_must_be_of_one_of_the_issuers(effects: EffectTable, server: Authority) -> None:
    server.issuer = "https://good.example"
    await call(effects, server, issuers=["https://other.example", "https://good.example"])
    error = await refused(effects, server, issuers=["https://other.example"])
    assert kind(error) == ("authentication", 401)
    assert len(server.served) == 1


async def test_who_issued_an_opaque_token_is_looked_up_or_the_token_is_of_no_use(
    effects: EffectTable, server: Authority
) -> None:
    assert kind(await refused(effects, server, issuers=["https://good.example"])) == ("authentication", 401)
    server.introspected = {"iss": "https://good.example"}
    await call(effects, server, issuers=["https://good.example"], endpoints={"introspection": "/look"})
    looked = next(request for request in server.peer.requests if request.path == "/look")
    assert b"token=token-2" in looked.body
    assert kind(await refused(effects, server, "oidc", issuers=["https://good.example"])) == ("authentication", 401)


# ---------------------------------------------------------------- how long


async def test_a_token_is_used_until_it_ends(effects: EffectTable, server: Authority) -> None:
    for _ in range(3):
        await call(effects, server)
    assert server.served == ["Bearer token-1"] * 3
    await call(effects, server, scopes=["more"])
    await call(effects, server, client={**CLIENT, "secret": "another"})
    assert server.served[3:] == ["Bearer token-2", "Bearer token-3"]


async def test_a_token_that_ends_is_refreshed_and_when_that_fails_asked_for_anew(
    effects: EffectTable, server: Authority
) -> None:
    server.lifetime, server.refreshes = 0, True
    await call(effects, server)
    await call(effects, server)
    server.refresh_tokens.clear()
    await call(effects, server)
    grants = [asked["grant_type"] for asked in server.asked]
    assert grants == ["client_credentials", "refresh_token", "refresh_token", "client_credentials"]
    assert [server.asked[1]["refresh_token"], server.asked[2]["refresh_token"]] == ["refresh-1", "refresh-2"]
    assert server.served == ["Bearer token-1", "Bearer token-2", "Bearer token-4"]


async def test_many_calls_at_once_ask_for_one_token(effects: EffectTable, server: Authority) -> None:
    await asyncio.gather(*(call(effects, server) for _ in range(6)))
    assert len(server.asked) == 1
    server.revoke()
    await asyncio.gather(*(call(effects, server) for _ in range(6)))
    assert len(server.asked) == 2


async def test_who_gives_up_waiting_does_not_stop_the_others(effects: EffectTable, server: Authority) -> None:
    first, second = (asyncio.ensure_future(call(effects, server)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"welcome": True}
    assert len(server.asked) == 1


async def test_a_kept_token_that_is_refused_is_replaced_once(effects: EffectTable, server: Authority) -> None:
    await call(effects, server)
    server.revoke()
    await call(effects, server)
    assert server.served == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_new_token_that_is_refused_is_final_and_shown_to_nobody(
    effects: EffectTable, server: Authority
) -> None:
    with authority() as stranger:
        policy = {"oauth2": {"authority": stranger.url, "grant": "client_credentials", "client": CLIENT}}
        with pytest.raises(TaskFailed) as failed:
            await visit(effects, server.service, policy)
    assert kind(failed.value.error) == ("authentication", 401)
    assert len(server.served) == 1
    assert len(stranger.asked) == 1
    assert "***" in str(failed.value.error.detail)
    assert "token-1" not in str(failed.value.error.detail)


async def test_the_response_shows_no_token(effects: EffectTable, server: Authority) -> None:
    policy = {"oauth2": {"authority": server.url, "grant": "client_credentials", "client": CLIENT}}
    shown = await visit(effects, server.service, policy, output="response")
    assert shown["statusCode"] == 200
    assert "token-1" not in str(shown)
    assert "authorization" not in {name.lower() for name in shown["request"]["headers"]}


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, {"error": "invalid_client"}), ("authentication", 401)),
        ((400, {"error": "invalid_grant", "error_description": "app-secret is wrong"}), ("authentication", 401)),
        ((400, {"error": "invalid_scope"}), ("authorization", 403)),
        ((400, {"error": "unauthorized_client"}), ("authorization", 403)),
        ((403, b"no"), ("authorization", 403)),
        ((400, {"error": "unsupported_grant_type"}), ("configuration", 400)),
        ((404, b"<html>"), ("communication", 404)),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), ("communication", 302)),
        ((503, {}), ("communication", 503)),
        ((200, b"<html>"), ("authentication", 401)),
        ((200, {"access_token": "t", "token_type": "mac"}), ("authentication", 401)),
    ],
)
async def test_what_an_authorization_server_refuses_is_the_error_that_fits(
    effects: EffectTable, server: Authority, answer: Any, expected: tuple[str, int]
) -> None:
    server.refusal = answer
    error = await refused(effects, server)
    assert kind(error) == expected
    assert "app-secret" not in str(error.detail)
    assert server.served == []


async def test_an_authorization_server_that_is_not_there_is_a_communication_error(
    effects: EffectTable, server: Authority
) -> None:
    assert kind(await refused(effects, server, authority="http://127.0.0.1:1")) == ("communication", 500)
    assert kind(await refused(effects, server, authority="http://169.254.169.254")) == ("authorization", 403)


async def test_an_authorization_server_that_does_not_answer_is_a_timeout(server: Authority) -> None:
    effects = build(clock=SystemClock(), allow_loopback=True, http_timeout=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        authority = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert kind(await refused(effects, server, authority=authority)) == ("timeout", 408)
    await effects.close()


async def test_an_authority_is_a_template_of_the_task_s_input(server: Authority) -> None:
    do = f"""
    do:
      - visit:
          call: http
          with:
            method: get
            endpoint:
              uri: {server.service}
              authentication:
                oauth2: {{authority: '{server.url}/realms/{{realm}}', grant: client_credentials, client: {{id: app}}}}
    """
    assert await output(do, {"realm": "a"}) == {"welcome": True}
