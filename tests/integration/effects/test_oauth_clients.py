"""How a client proves to an authorization server who it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lowtide.effects import EffectTable, build
from lowtide.runtime.clock import SystemClock
from tests.authorities import Authority, authority
from tests.integration.effects.visits import CLIENT, call

pytestmark = pytest.mark.anyio

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def server() -> Iterator[Authority]:
    with authority() as made:
        yield made


@pytest.fixture
async def effects() -> AsyncIterator[EffectTable]:
    made = build(clock=SystemClock(), allow_loopback=True)
    yield made
    await made.close()


async def test_a_client_may_come_by_header(effects: EffectTable, server: Authority) -> None:
    client = {"id": "an app", "secret": "s:cret/+", "authentication": "client_secret_basic"}
    await call(effects, server, client=client)
    assert server.asked == [{"grant_type": "client_credentials", "basic": ("an app", "s:cret/+")}]


async def test_a_client_may_have_no_secret_or_no_name(effects: EffectTable, server: Authority) -> None:
    await call(effects, server, client={"id": "app", "authentication": "none"})
    await call(effects, server, client={"authentication": "none"})
    assert server.asked == [
        {"grant_type": "client_credentials", "client_id": "app"},
        {"grant_type": "client_credentials"},
    ]


async def test_a_client_may_sign_with_its_secret(effects: EffectTable, server: Authority) -> None:
    await call(effects, server, client={**CLIENT, "authentication": "client_secret_jwt"})
    asked = server.asked[0]
    assert asked["client_assertion_type"] == _ASSERTION
    assert "client_secret" not in asked
    endpoint = f"{server.url}/oauth2/token"
    with pytest.warns(match="below the minimum"):
        claims = jwt.decode(asked["client_assertion"], "app-secret", algorithms=["HS256"], audience=endpoint)
    assert (claims["iss"], claims["sub"]) == ("app", "app")
    assert claims["exp"] - claims["iat"] == 60
    assert len(claims["jti"]) == 32


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RS256"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
    ],
)
@pytest.mark.parametrize("form", ["pem", "jwk", "jwk as text"])
async def test_a_client_may_sign_with_a_private_key(
    effects: EffectTable, server: Authority, make: Any, algorithm: str, form: str
) -> None:
    private = make()
    assertion: Any = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    if form != "pem":
        as_text = jwt.get_algorithm_by_name(algorithm).to_jwk(private)
        assertion = {**json.loads(as_text), "kid": "key-1"}
        if form == "jwk as text":
            assertion = json.dumps(assertion)
    client = {"id": "app", "authentication": "private_key_jwt", "assertion": assertion}
    await call(effects, server, client=client)
    sent = server.asked[0]["client_assertion"]
    jwt.decode(sent, private.public_key(), algorithms=[algorithm], audience=f"{server.url}/oauth2/token")
    assert jwt.get_unverified_header(sent).get("kid") == (None if form == "pem" else "key-1")


async def test_an_assertion_that_is_signed_already_is_sent_as_it_is(effects: EffectTable, server: Authority) -> None:
    await call(effects, server, client={"id": "app", "authentication": "private_key_jwt", "assertion": "aa.bb.cc"})
    assert server.asked[0]["client_assertion"] == "aa.bb.cc"
