"""Digest: the examples of RFC 7616, and headers as servers write them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from yarl import URL

from lowtide.effects.auth.challenges import Challenge, parse
from lowtide.effects.auth.credentials import Sending, mask
from lowtide.effects.auth.digest import Digest, Nonces, response

_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
_ASKED = {"realm": "http-auth@example.org", "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"}


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_standard_come_out(algorithm: str, expected: str) -> None:
    sending = Sending("GET", URL("http://www.example.org/dir/index.html"))
    asked = {**_ASKED, "algorithm": algorithm}
    assert response("Mufasa", "Circle of Life", asked, sending, "auth", "00000001", _CNONCE) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer", [Challenge("bearer")]),
        (
            'Digest realm="a, \\"b\\"", qop="auth, auth-int", nonce=abc, Basic realm="x", Negotiate, Foo dGVzdA==',
            [
                Challenge("digest", {"realm": 'a, "b"', "qop": "auth, auth-int", "nonce": "abc"}),
                Challenge("basic", {"realm": "x"}),
                Challenge("negotiate"),
                Challenge("foo"),
            ],
        ),
        ('digest REALM = "x" , Nonce= "y"', [Challenge("digest", {"realm": "x", "nonce": "y"})]),
        ("", []),
        ('"quoted"', []),
    ],
)
def test_challenges_are_read_as_servers_write_them(header: str, expected: list[Challenge]) -> None:
    assert parse(header) == expected


def answered(challenge: str, username: str = "ada") -> str | None:
    sending = Sending("GET", URL("http://example.org/"))
    digest = Digest({"username": username, "password": "pass-word"}, Nonces())
    return asyncio.run(digest.answer(sending, (challenge,)))


def test_a_name_that_is_not_ascii_is_sent_as_the_standard_says() -> None:
    given = answered('Digest realm="r", nonce="n", qop="auth"', "Jäsøn Doe")
    assert given is not None
    assert "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe" in given


def test_quotes_of_the_server_are_given_back_as_they_came() -> None:
    given = answered('Digest realm="a \\"b\\" \\\\", nonce="n", opaque="o"')
    assert given is not None
    assert 'realm="a \\"b\\" \\\\"' in given
    assert 'opaque="o"' in given
    assert "cnonce" not in given


@pytest.mark.parametrize("challenge", ["Digest", 'Digest realm="r"', 'Digest realm="r", nonce="n", algorithm=token'])
def test_what_cannot_be_answered_is_not(challenge: str) -> None:
    assert answered(challenge) is None


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("it was s3cret!", ("s3cret",), "it was ***!"),
        ("s3cret and s3cret2", ("s3cret", "s3cret2"), "*** and ***"),
        ("a cat", ("a",), "a cat"),
    ],
)
def test_what_nobody_may_see_is_masked(text: str, secrets: Any, shown: str) -> None:
    assert mask(text, secrets) == shown
