"""Why the platform would not start: each with its sentence and its exit code.

CannotStart                   exit  when
├── PortInUse                 6     another program listens on a port
├── DataDirectoryInUse        7     another `lowtide up` holds the data directory
├── DataDirectoryBroken       8     the data directory is unreadable, damaged, or another version's
├── DatabaseUnreachable       9     a database does not answer, does not exist, or may not be used
└── ServiceBroken             10    a deployable does not start, or its migration failed
"""

from __future__ import annotations

from typing import ClassVar

from lowtide.errors import Unavailable

__all__ = [
    "CannotStart",
    "DataDirectoryBroken",
    "DataDirectoryInUse",
    "DatabaseUnreachable",
    "PortInUse",
    "ServiceBroken",
]


class CannotStart(Unavailable):
    """The root: unavailable, since the same command may well succeed once the cause is mended."""

    code = "platform.cannot_start"
    exit_code: ClassVar[int] = 1


class PortInUse(CannotStart):
    code = "platform.port_in_use"
    exit_code = 6


class DataDirectoryInUse(CannotStart):
    code = "platform.data_directory_in_use"
    exit_code = 7


class DataDirectoryBroken(CannotStart):
    code = "platform.data_directory_broken"
    exit_code = 8


class DatabaseUnreachable(CannotStart):
    code = "platform.database_unreachable"
    exit_code = 9


class ServiceBroken(CannotStart):
    """``tail`` are the last lines that the process wrote, newest last."""

    code = "platform.service_broken"
    exit_code = 10

    def __init__(self, message: str, tail: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((message, *(f"    {line}" for line in tail))))
        self.tail = tail
