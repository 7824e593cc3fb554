"""Where gRPC is dialled, and whether TLS is spoken there."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lowtide.effects.grpc_address import address_of
from lowtide.errors import TaskFailed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("host", "port", "authority", "target", "tls"),
    [
        ("127.0.0.1", 5011, "127.0.0.1:5011", "ipv4:127.0.0.1:5011", False),
        ("127.0.0.1", None, "127.0.0.1:443", "ipv4:127.0.0.1:443", True),
        ("127.0.0.1:8443", None, "127.0.0.1:8443", "ipv4:127.0.0.1:8443", False),
        ("https://127.0.0.1", 8443, "127.0.0.1:8443", "ipv4:127.0.0.1:8443", True),
        ("http://127.0.0.1", 443, "127.0.0.1:443", "ipv4:127.0.0.1:443", False),
        ("grpc://127.0.0.1/", None, "127.0.0.1:80", "ipv4:127.0.0.1:80", False),
        ("::1", 5011, "[::1]:5011", "ipv6:[::1]:5011", False),
        ("[::1]:5011", None, "[::1]:5011", "ipv6:[::1]:5011", False),
    ],
)
async def test_tls_is_spoken_on_443_and_where_the_scheme_says_so(
    host: str, port: int | None, authority: str, target: str, tls: bool
) -> None:
    found = await address_of(host, port, allow_loopback=True)
    assert (found.authority, found.target, found.tls) == (authority, target, tls)


@pytest.mark.parametrize(
    ("host", "port"),
    [(None, 1), ("", 1), ("ftp://a", 1), ("a/b", 1), ("https://", 1), ("a", 0), ("a", "x"), ("a", 70_000)],
)
async def test_what_is_no_address_is_a_configuration_error(host: Any, port: Any) -> None:
    with pytest.raises(TaskFailed) as raised:
        await address_of(host, port, allow_loopback=True)
    assert raised.value.error.status == 400


async def test_a_name_that_nobody_has_is_a_communication_error() -> None:
    with pytest.raises(TaskFailed) as raised:
        await address_of("nobody.invalid", 443, allow_loopback=True)
    assert raised.value.error.type.endswith("/communication")
    assert "nobody.invalid" in str(raised.value)


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["93.184.216.34", "169.254.169.254"], ["224.0.0.1"]])
async def test_a_name_of_a_forbidden_address_is_refused(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it resolves to is looked at, and nobody asks the name again."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **other: Any) -> Any:
        return [answer for address in addresses for answer in real(address, port, *more, **other)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TaskFailed) as raised:
        await address_of("metadata.test", 443, allow_loopback=True)
    assert raised.value.error.status == 403
