"""Ports for child processes."""

from __future__ import annotations

import platform
import socket

import pytest

from lowtide.local.ports import LOOPBACK, Reserved

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere a port is chosen, but not kept")


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    with Reserved() as kept, socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, kept.port))


def test_the_child_that_it_is_kept_for_can_listen_there() -> None:
    with Reserved() as kept:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, kept.port))
        with socket.create_server((LOOPBACK, kept.port)), socket.create_connection((LOOPBACK, kept.port)):
            pass


def test_a_released_port_is_anybodys() -> None:
    kept = Reserved()
    kept.release()
    kept.release()
    with socket.socket() as other:
        other.bind((LOOPBACK, kept.port))
