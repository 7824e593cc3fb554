"""``run: script`` (dsl-reference.md, "Script Process"): Python or JavaScript, inline or from a resource.

Python runs in this installation's interpreter with the standard library alone. JavaScript runs in ``node``, as a module
(``import``, top-level ``await``) unless it uses ``require`` or ``module.exports``. The arguments are argv after the
script's own name; the map of older documents is variables of the script.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec

from lowtide.effects.process import Processes, Program, check_allowed
from lowtide.effects.resource import Resources
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error
from lowtide.model.process import argv_of

__all__ = ["ScriptRun"]

_LANGUAGES: Final = {"js": "js", "javascript": "js", "python": "python"}
_MODULE: Final = re.compile(r"^\s*(?:import\b(?!\s*\()|export\b)", re.MULTILINE)
_WITH_VARIABLES: Final = """\
import json, runpy, sys
script, variables = sys.argv[1:]
sys.argv[:] = [script]
with open(variables) as file:
    given = json.load(file)
runpy.run_path(script, given, "__main__")
"""
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

    async def _prepare(self, configuration: JSON, folder: Path) -> Program:
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
        arguments = configuration.get("arguments")
        variables = _variables(arguments) if isinstance(arguments, dict) else {}
        make = _python if language == "python" else _javascript
        argv = await asyncio.to_thread(make, code, variables, folder)
        return Program((*argv, *([] if variables else argv_of(arguments))), "the script")


def _variables(arguments: dict[str, JSON]) -> dict[str, JSON]:
    wrong = [name for name in arguments if not name.isidentifier()]
    if wrong:
        detail = f"`run.script.arguments`: {', '.join(wrong)} cannot be a variable's name; a list of arguments is argv"
        raise TaskFailed(standard_error("configuration", detail))
    return arguments


def _python(code: str, variables: dict[str, JSON], folder: Path) -> list[str]:
    (folder / "script.py").write_text(code, encoding="utf-8")
    # -S and -s: no packages but the standard library's; -P: nothing is imported from the working folder by accident.
    argv = [sys.executable, "-s", "-S", "-P"]
    if not variables:
        return [*argv, str(folder / "script.py")]
    (folder / "variables.json").write_bytes(msgspec.json.encode(variables))
    return [*argv, "-c", _WITH_VARIABLES, str(folder / "script.py"), str(folder / "variables.json")]


def _javascript(code: str, variables: dict[str, JSON], folder: Path) -> list[str]:
    node = shutil.which("node")
    if node is None:
        detail = "scripts in JavaScript need `node`, which is not installed here (Debian: apt install nodejs)"
        raise TaskFailed(standard_error("configuration", detail))
    common = _COMMON.search(code) is not None and _MODULE.search(code) is None
    script = folder / ("script.cjs" if common else "script.mjs")
    # In front of the first line, so that the lines of errors are those of the document.
    given = "".join(f"const {name} = {msgspec.json.encode(value).decode()}; " for name, value in variables.items())
    script.write_text(given + code, encoding="utf-8")
    return [node, str(script)]
