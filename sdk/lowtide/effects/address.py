"""Which addresses a workflow may reach: checked after DNS resolution, and for addresses written as numbers.

Link-local addresses, the clouds' metadata services, unspecified, reserved and multicast addresses are never reached;
loopback only where the operator allows it. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) counts as itself.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["GuardedResolver", "check_host", "resolve"]

_METADATA: Final = frozenset(
    {
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's platform
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS, credentials of pods
        "fd20:ce::254",  # Google Cloud
    }
)
"""Metadata services that are not at link-local addresses."""

_NAT64: Final = ip_network("64:ff9b::/96")


def check_host(host: str, *, allow_loopback: bool) -> None:
    """Raises ``TaskFailed`` (``authorization``, 403) where ``host`` is an address that may not be reached."""
    address = _written(host.strip("[]").rstrip("."))
    if address is None:
        return
    address = _meant(address)
    if address.is_loopback:
        if not allow_loopback:
            detail = f"workflows may not reach {host}; an operator can allow loopback with LOWTIDE_ALLOW_LOOPBACK=true"
            raise TaskFailed(standard_error("authorization", detail))
    elif _never(address):
        raise TaskFailed(standard_error("authorization", f"workflows may not reach {host}"))


def _written(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text stands for, in every way in which a socket would understand it; else ``None``."""
    try:
        return ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433, 0177.0.0.1
        except (OSError, ValueError):
            return None


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Where packets to it end up."""
    if isinstance(address, IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFF_FFFF)
    return address if inside is None else inside


def _never(address: IPv4Address | IPv6Address) -> bool:
    kind = address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved
    return kind or str(address).partition("%")[0] in _METADATA


async def resolve(name: str, port: int, what: str, *, allow_loopback: bool) -> list[tuple[str, int]]:
    """The addresses of a host, all checked, of one family; ``what`` names the host's part in errors.

    Raises ``TaskFailed``: ``authorization`` (not to be reached) or ``communication`` (no such name).
    """
    check_host(name, allow_loopback=allow_loopback)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        detail = f"the host {name} of {what} cannot be resolved: {error}"
        raise TaskFailed(standard_error("communication", detail)) from error
    family = found[0][0]
    addresses = [(str(address[0]), int(address[1])) for one, _, _, _, address in found if one == family]
    for host, _ in addresses:
        check_host(host, allow_loopback=allow_loopback)
    return addresses


class GuardedResolver:
    """Resolves names with ``inner`` and refuses what :func:`check_host` refuses."""

    def __init__(self, inner: AbstractResolver, *, allow_loopback: bool) -> None:
        self._inner = inner
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        for result in results:
            check_host(result["host"], allow_loopback=self._allow_loopback)
        return results

    async def close(self) -> None:
        await self._inner.close()
