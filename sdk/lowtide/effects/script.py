"""``run: script`` (dsl-reference.md, "Script Process"): Python or JavaScript, inline or from a resource.

Python runs in this installation's interpreter with the standard library alone. JavaScript runs in ``node``, as a module
(``import``, top-level ``await``) unless it uses ``require`` or ``module.exports``. The arguments are argv after the
script's own name.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from lowtide.effects.process import Processes, Program, check_allowed
from lowtide.effects.resource import Resources
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

__all__ = ["ScriptRun"]

_LANGUAGES: Final = {"js": "js", "javascript": "js", "python": "python"}
_MODULE: Final = re.compile(r"^\s*(?:import\b(?!\s*\()|export\b)", re.MULTILINE)
_COMMON: Final = re.compile(r"\brequire\s*\(|\bmodule\.exports\b|\b__dirname\b|\b__filename\b")


class ScriptRun:
    def __init__(self, processes: Processes, resources: Resources, *, allowed: bool) -> None:
        self._processes = processes
        self._resources = resources
        self._allowed = allowed

    async def perform(self, command: Perform) -> JSON:
        """As :meth:`Processes.perform`; ``authorization`` (403) where scripts are off, ``configuration`` where nothing
        here runs the language."""
        check_allowed(self._allowed, "`run: script`", "LOWTIDE_ALLOW_SCRIPT")
        return await self._processes.perform(command, self._prepare)

    async def _prepare(self, configuration: JSON, arguments: list[str], folder: Path) -> Program:
        name = configuration.get("language")
        language = _LANGUAGES.get(str(name).lower())
        if language is None:
            detail = f"`run.script.language` is {name!r}; scripts are run in {', '.join(_LANGUAGES)}"
            raise TaskFailed(standard_error("configuration", detail))
        code = configuration.get("code")
        if code is None and configuration.get("source") is not None:
            code = (await self._resources.fetch(configuration["source"], "`run.script.source`")).text
        if not isinstance(code, str):
            raise TaskFailed(standard_error("configuration", "`run.script` needs the script's text: code, or source"))
        file, *interpreter = _python() if language == "python" else _javascript(code)
        script = folder / file
        await asyncio.to_thread(script.write_text, code, encoding="utf-8")
        return Program((*interpreter, str(script), *arguments), "the script")


def _python() -> list[str]:
    # -S and -s: no packages but the standard library's; -P: nothing is imported from the working folder by accident.
    return ["script.py", sys.executable, "-s", "-S", "-P"]


def _javascript(code: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        detail = "scripts in JavaScript need `node`, which is not installed here (Debian: apt install nodejs)"
        raise TaskFailed(standard_error("configuration", detail))
    common = _COMMON.search(code) is not None and _MODULE.search(code) is None
    return ["script.cjs" if common else "script.mjs", node]
