"""Which heads are passed on without aiohttp, and which fields."""

from __future__ import annotations

import pytest

from lowtide.local.heads import kept, read_request


def test_a_plain_head_is_read() -> None:
    asked = read_request(b"POST /v1/x?y=%20 HTTP/1.1\r\nHost: a\r\nCE-Id: 1\r\nContent-Length: 12\r\n\r\n")
    assert asked is not None
    assert (asked.method, asked.target, asked.length, asked.closes) == ("POST", b"/v1/x?y=%20", 12, False)
    assert asked.fields == [(b"Host", b"a"), (b"CE-Id", b"1"), (b"Content-Length", b"12")]


@pytest.mark.parametrize(
    "head",
    [
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX\x00: 1\r\n\r\n",
    ],
)
def test_a_head_with_a_surprise_is_left_to_aiohttp(head: bytes) -> None:
    assert read_request(head) is None


def test_fields_of_one_connection_do_not_pass_nor_those_that_it_names() -> None:
    fields = [(b"Connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"Keep-Alive", b"5"), (b"A", b"1"), (b"a", b"2")]
    assert kept(fields) == [(b"A", b"1"), (b"a", b"2")]
    assert kept(fields, {b"a"}) == []
