"""Which addresses a workflow may reach: checked after DNS resolution, and for addresses written as numbers.

Link-local addresses (the clouds' metadata services among them), unspecified and multicast ones are never reached;
loopback only where the operator allows it.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["GuardedResolver", "check_host"]


def check_host(host: str, *, allow_loopback: bool) -> None:
    """Raises ``TaskFailed`` (``authorization``, 403) where ``host`` is an address that may not be reached."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    refused = address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved
    if refused or (address.is_loopback and not allow_loopback):
        detail = f"workflows may not reach {host}; an operator can allow loopback with LOWTIDE_ALLOW_LOOPBACK=true"
        raise TaskFailed(standard_error("authorization", detail))


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
