"""``run: shell`` (dsl-reference.md, "Shell Process"): a command for ``/bin/sh``; its arguments are ``$1`` …"""

from __future__ import annotations

from pathlib import Path

from lowtide.effects.process import Processes, Program, check_allowed
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error
from lowtide.model.process import argv_of

__all__ = ["ShellRun"]


class ShellRun:
    def __init__(self, processes: Processes, *, allowed: bool) -> None:
        self._processes = processes
        self._allowed = allowed

    async def perform(self, command: Perform) -> JSON:
        """As :meth:`Processes.perform`; ``authorization`` (403) where shells are off."""
        check_allowed(self._allowed, "`run: shell`", "LOWTIDE_ALLOW_SHELL")
        return await self._processes.perform(command, _prepare)


async def _prepare(configuration: JSON, folder: Path) -> Program:
    command, arguments = configuration.get("command"), configuration.get("arguments")
    if not isinstance(command, str) or not command:
        raise TaskFailed(standard_error("configuration", f"`run.shell.command` must be a command, it is {command!r}"))
    if isinstance(arguments, dict):
        command = command.rstrip() + ' "$@"'  # the map of older documents stands behind the command
    return Program(("/bin/sh", "-c", command, "sh", *argv_of(arguments)), "the command")
