"""TCP ports: free ones for child processes, and the public ones, taken early."""

from __future__ import annotations

import errno
import platform
import socket
from typing import Final, Self

from .refusals import PortInUse

__all__ = ["LOOPBACK", "Reserved", "bind"]

LOOPBACK: Final = "127.0.0.1"


class Reserved:
    """A loopback port kept for a child process, which binds it with ``SO_REUSEADDR`` as servers do.

    Between choosing a port and the child's listening, somebody else's connection could be given the same one. On Linux
    a socket that is bound and does not listen keeps it from everybody but those who ask for this very number;
    elsewhere two sockets may not share it, and the port is only chosen.
    """

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((LOOPBACK, 0))
        self.port: int = self._holder.getsockname()[1]
        if platform.system() != "Linux":
            self.release()

    def release(self) -> None:
        """Anybody may have it; again does nothing."""
        self._holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


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
