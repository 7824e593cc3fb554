"""TCP ports: free ones for child processes, and the public ones, taken early."""

from __future__ import annotations

import errno
import socket
from typing import Final

from .refusals import PortInUse

__all__ = ["LOOPBACK", "bind", "free_port"]

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def bind(host: str, port: int = 0, flag: str = "") -> socket.socket:
    """A socket that listens; what connects waits until it is served.

    Raises :class:`PortInUse`, which names the flag that chooses another port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(1024)  # two may bind, one may listen: only this tells for certain
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another program; stop it, or choose another port with {flag}"
            ) from error
        raise PortInUse(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another with {flag}"
        ) from error
    return bound
