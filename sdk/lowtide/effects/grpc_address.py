"""Where a gRPC service is: its name is resolved here and its addresses checked, so that gRPC dials nothing else."""

from __future__ import annotations

from typing import Final

from lowtide.effects.address import resolve
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.error import standard_error

__all__ = ["Address", "address_of"]

_TLS: Final = {"https": True, "grpcs": True, "http": False, "grpc": False}


class Address(Value, frozen=True):
    """``target`` names the checked addresses in gRPC's own form; ``authority`` is what the workflow wrote."""

    host: str
    authority: str
    target: str
    tls: bool


async def address_of(host: JSON, port: JSON, *, allow_loopback: bool) -> Address:
    """Raises ``TaskFailed``: ``configuration``, ``authorization`` (not to be reached) or ``communication`` (no such
    name)."""
    if not isinstance(host, str) or not host:
        raise TaskFailed(standard_error("configuration", f"`with.service.host` must be a host's name, it is {host!r}"))
    scheme, _, rest = host.rpartition("://")
    name, written = _split(rest.rstrip("/"))
    number = port if port is not None else written
    if scheme not in {"", *_TLS} or "/" in name or not name:
        raise TaskFailed(standard_error("configuration", f"`with.service.host` is no host's name: {host!r}"))
    if number is None:
        number = 80 if _TLS.get(scheme) is False else 443
    if not isinstance(number, int) or not 0 < number < 65_536:
        raise TaskFailed(standard_error("configuration", f"`with.service.port` is no port: {number!r}"))
    tls = _TLS.get(scheme, number == 443)
    target = await _resolved(name, number, allow_loopback)
    return Address(name, f"[{name}]:{number}" if ":" in name else f"{name}:{number}", target, tls)


def _split(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare IPv6 address."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdigit() else None
    name, colon, rest = text.partition(":")
    return (name, int(rest)) if colon and rest.isdigit() else (text, None)


async def _resolved(name: str, port: int, allow_loopback: bool) -> str:
    addresses = await resolve(name, port, "the gRPC service", allow_loopback=allow_loopback)
    if ":" in addresses[0][0]:
        return "ipv6:" + ",".join(f"[{host}]:{number}" for host, number in addresses)
    return "ipv4:" + ",".join(f"{host}:{number}" for host, number in addresses)
