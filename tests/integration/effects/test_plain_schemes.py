"""Basic, bearer and digest against a real server, and how documents name them: inline, by reference, by secret."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from lowtide.effects import EffectTable, build
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from tests.authorities import authority
from tests.effecting import fault, output
from tests.peers import Answer, Peer, Request, peer

pytestmark = pytest.mark.anyio

_USER, _PASSWORD = "Mufasa", "Circle of Life"


class Guard:
    """A server that knows one user by digest, and whose nonces it may forget."""

    def __init__(self, algorithm: str | None, qop: str | None, *, extra: str = "") -> None:
        self.algorithm, self.qop, self.extra = algorithm, qop, extra
        self.nonce = 0
        self.counts: list[str] = []

    def __call__(self, request: Request) -> Answer:
        given = request.headers.get("authorization", "")
        parts = {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^\s,]+)', given)}
        if parts and parts["nonce"] != f"n{self.nonce}":
            return self._ask("stale=true")
        if parts and parts["response"] == self._expected(request, parts):
            self.counts.append(parts.get("nc", ""))
            return 200, {"qop": parts.get("qop")}
        return self._ask("stale=false")

    def _ask(self, stale: str) -> Answer:
        parts = ['realm="lions"', f'nonce="n{self.nonce}"', 'opaque="o"', stale, self.extra]
        parts += [f"algorithm={self.algorithm}"] if self.algorithm else []
        parts += [f'qop="{self.qop}"'] if self.qop else []
        asked = ", ".join(part for part in parts if part)
        return 401, b"", {"WWW-Authenticate": f'Negotiate, Digest {asked}, Basic realm="lions"'}

    def _expected(self, request: Request, parts: dict[str, str]) -> str:
        name = (self.algorithm or "MD5").upper().removesuffix("-SESS").replace("-", "").lower()

        def take(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        first = take(f"{_USER}:lions:{_PASSWORD}")
        if (self.algorithm or "").lower().endswith("-sess"):
            first = take(f"{first}:{parts['nonce']}:{parts['cnonce']}")
        second = f"{request.method}:{request.path}"
        if parts.get("qop") == "auth-int":
            second += ":" + hashlib.new(name, request.body).hexdigest()
        middle = ":".join(parts[part] for part in ("nonce", "nc", "cnonce", "qop") if part in parts and self.qop)
        return take(f"{first}:{middle or parts['nonce']}:{take(second)}")


@pytest.fixture
def effects() -> EffectTable:
    return build(allow_loopback=True)


async def ask(effects: EffectTable, server: Peer, times: int = 1, **policy: Any) -> list[Any]:
    endpoint = {"uri": f"{server.url}/dir/index.html?a=b%20c", "authentication": policy}
    arguments = {"method": "post", "endpoint": endpoint, "body": {"a": 1}}
    command = Perform(id="x@1", call="http", arguments=arguments, reference="/do/0/x")
    try:
        return [await effects.perform(command, "e/x@1") for _ in range(times)]
    finally:
        await effects.close()


@pytest.mark.parametrize("algorithm", [None, "MD5", "md5", "SHA-256", "MD5-sess", "SHA-256-sess"])
@pytest.mark.parametrize("qop", [None, "auth", "auth-int, auth", "auth-int"])
async def test_digest_answers_what_it_is_asked_and_then_needs_no_question(
    effects: EffectTable, algorithm: str | None, qop: str | None
) -> None:
    guard = Guard(algorithm, qop)
    with peer(guard) as server:
        answers = await ask(effects, server, 2, digest={"username": _USER, "password": _PASSWORD})
    wanted = None if qop is None else "auth-int" if qop == "auth-int" else "auth"
    assert answers == [{"qop": wanted}] * 2
    assert len(server.requests) == 3
    assert guard.counts == (["00000001", "00000002"] if qop else ["", ""])


async def test_a_stale_nonce_is_replaced(effects: EffectTable) -> None:
    guard = Guard("SHA-256", "auth")
    with peer(guard) as server:
        original = guard.__call__

        def forgetful(request: Request) -> Answer:
            answer = original(request)
            guard.nonce += answer[0] == 200
            return answer

        server.answer = forgetful
        await ask(effects, server, 2, digest={"username": _USER, "password": _PASSWORD})
    assert [request.headers.get("authorization", "")[:6] for request in server.requests] == [
        "",
        "Digest",
        "Digest",
        "Digest",
    ]


@pytest.mark.parametrize(("forgets", "sent"), [(1, 3), (100, 3)])
async def test_a_nonce_that_is_stale_before_it_is_answered_gets_one_more_answer(
    effects: EffectTable, forgets: int, sent: int
) -> None:
    guard = Guard("MD5", "auth")

    def hasty(request: Request) -> Answer:
        if "authorization" in request.headers and guard.nonce < forgets:
            guard.nonce += 1
        return guard(request)

    with peer(hasty) as server:
        asked = ask(effects, server, digest={"username": _USER, "password": _PASSWORD})
        if forgets == 1:
            assert await asked == [{"qop": "auth"}]
        else:
            with pytest.raises(TaskFailed):
                await asked
    assert len(server.requests) == sent


@pytest.mark.parametrize(
    ("guard", "password"),
    [
        (Guard("MD5", "auth"), "wrong-password"),
        (Guard("SHA-1024", "auth"), _PASSWORD),
        (Guard("MD5", "auth-conf"), _PASSWORD),
    ],
)
async def test_a_wrong_password_or_a_digest_that_nobody_knows_is_an_authentication_error(
    effects: EffectTable, guard: Guard, password: str
) -> None:
    with peer(guard) as server:
        with pytest.raises(TaskFailed) as failed:
            await ask(effects, server, digest={"username": _USER, "password": password})
    assert failed.value.error.type.endswith("/authentication")
    assert failed.value.error.status == 401
    assert len(server.requests) <= 2


async def test_a_username_may_be_hashed(effects: EffectTable) -> None:
    guard = Guard("SHA-256", "auth", extra="userhash=true")
    with peer(guard) as server:
        await ask(effects, server, digest={"username": _USER, "password": _PASSWORD})
    sent = server.requests[1].headers["authorization"]
    assert f'username="{hashlib.sha256(b"Mufasa:lions").hexdigest()}", userhash=true' in sent


async def test_no_password_leaves_in_plain_where_digest_is_wanted(effects: EffectTable) -> None:
    with peer(lambda request: (401, {}, {"WWW-Authenticate": 'Basic realm="trap"'})) as server:
        with pytest.raises(TaskFailed):
            await ask(effects, server, digest={"username": _USER, "password": _PASSWORD})
    assert [request.headers.get("authorization") for request in server.requests] == [None]


# ---------------------------------------------------------------- documents

_DOCUMENT = """
use:
  secrets: [the-secret]
  authentications: {named: POLICY}
do:
  - visit:
      call: http
      with: {method: get, endpoint: {uri: "URL/service", authentication: GIVEN}}
"""

_BASIC = {"username": "ada", "password": "s3cret"}
_SENT = "Basic " + b64encode(b"ada:s3cret").decode()


@pytest.fixture
def server() -> Iterator[Peer]:
    with peer(lambda request: (200, {"sent": request.headers.get("authorization")})) as made:
        yield made


def document(server: Peer, given: str, policy: str = "{bearer: {token: unused}}") -> str:
    return _DOCUMENT.replace("URL", server.url).replace("GIVEN", given).replace("POLICY", policy)


@pytest.mark.parametrize(
    ("given", "policy", "secret", "sent"),
    [
        ("{basic: {username: ada, password: s3cret}}", "{basic: {use: the-secret}}", None, _SENT),
        ("{use: named}", "{basic: {username: ada, password: s3cret}}", None, _SENT),
        ("{use: named}", "{basic: {use: the-secret}}", _BASIC, _SENT),
        ("{basic: {use: the-secret}}", "{basic: {use: the-secret}}", _BASIC, _SENT),
        ("{bearer: {use: the-secret}}", "{basic: {use: the-secret}}", {"token": "abc"}, "Bearer abc"),
        ("{bearer: {use: the-secret}}", "{basic: {use: the-secret}}", "abc", "Bearer abc"),
        (
            '{bearer: {token: "${ $secrets[\\"the-secret\\"].key }"}}',
            "{basic: {use: the-secret}}",
            {"key": "k"},
            "Bearer k",
        ),
        ('{bearer: {token: "${ .token }"}}', "{basic: {use: the-secret}}", None, "Bearer from-input"),
    ],
)
async def test_a_policy_may_be_inline_by_reference_or_from_a_secret(
    server: Peer, given: str, policy: str, secret: Any, sent: str
) -> None:
    secrets = {"the-secret": {} if secret is None else secret}
    do = document(server, given, policy)
    assert await output(do, {"token": "from-input"}, secrets=secrets) == {"sent": sent}


@pytest.mark.parametrize("scheme", ["oauth2", "oidc"])
async def test_a_whole_configuration_of_oauth_may_be_a_secret(scheme: str) -> None:
    with authority() as server:
        client = {"id": "app", "secret": "app-secret"}
        secret = {"authority": server.url, "grant": "client_credentials", "client": client, "scopes": "read write"}
        do = document(server.peer, f"{{{scheme}: {{use: the-secret}}}}")
        assert await output(do, secrets={"the-secret": secret}) == {"welcome": True}
        assert server.asked[0]["scope"] == "read write"


async def test_a_secret_that_is_not_there_is_an_authorization_error(server: Peer) -> None:
    assert (await fault(document(server, "{basic: {use: the-secret}}")))[:2] == ("authorization", 403)
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        ("{basic: {use: the-secret}}", {"username": "ada"}),
        ("{digest: {use: the-secret}}", {"password": "hush-hush"}),
        ("{bearer: {use: the-secret}}", {"token": "hush-hush\r\nX-Admin: 1"}),
        ("{bearer: {use: the-secret}}", {"token": None}),
        ("{basic: {use: the-secret}}", {"username": "a:b", "password": "hush-hush"}),
    ],
)
async def test_credentials_that_cannot_be_sent_are_an_authentication_error(
    server: Peer, given: str, secret: Any
) -> None:
    kind, status, detail = await fault(document(server, given), secrets={"the-secret": secret})
    assert (kind, status) == ("authentication", 401)
    assert "hush-hush" not in detail
    assert server.requests == []


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication"), (403, "authorization"), (404, "communication")])
async def test_a_service_that_repeats_credentials_in_its_refusal_does_not_show_them(status: int, kind: str) -> None:
    with peer(lambda request: (status, {"was": request.headers["authorization"], "password": "s3cret"})) as server:
        given = "{basic: {username: ada, password: s3cret}}"
        found, seen, detail = await fault(document(server, given))
    assert (found, seen) == (kind, status)
    assert "s3cret" not in detail
    assert _SENT not in detail


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("{basic: {username: ada, password: s3cret}}", {"scheme": "Basic", "parameter": _SENT[6:]}),
        ("{bearer: {use: the-secret}}", {"scheme": "Bearer", "parameter": "abc"}),
        ("{digest: {username: ada, password: s3cret}}", {"scheme": "Digest", "parameter": "ada"}),
    ],
)
async def test_authorization_is_known_to_what_follows_the_call(server: Peer, given: str, shown: Any) -> None:
    do = document(server, given) + "      output: {as: $authorization}\n"
    assert await output(do, secrets={"the-secret": "abc"}) == shown


async def test_of_an_access_token_only_the_scheme_is_shown() -> None:
    with authority() as server:
        given = f"{{oauth2: {{authority: '{server.url}', grant: client_credentials, client: {{id: app}}}}}}"
        do = document(server.peer, given) + "      output: {as: $authorization}\n"
        assert await output(do) == {"scheme": "Bearer", "parameter": None}
