"""What the processes of ``run`` are given and give (dsl-reference.md, "Run" and "Process Result"): a shell's, a
script's and a container's alike."""

import re
from typing import Final, Literal, TypeAlias

import msgspec

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["Return", "argv_of", "as_text", "environment_of", "returned"]

Return: TypeAlias = Literal["stdout", "stderr", "code", "all", "none"]

_NAME: Final = re.compile(r"[^=\0]+")
_SHOWN: Final = 2000  # characters of stderr in an error


def as_text(value: JSON) -> str:
    """Strings as they are, nothing for ``null``, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def argv_of(given: JSON) -> list[str]:
    """A list is argv as it is; the map of older documents becomes ``name=value``, or ``name`` where there is none."""
    match given:
        case None:
            return []
        case list():
            return [as_text(one) for one in given]
        case dict():
            return [name if value in (None, "") else f"{name}={as_text(value)}" for name, value in given.items()]
        case _:
            return [as_text(given)]


def environment_of(given: JSON) -> dict[str, str]:
    """Raises ``TaskFailed`` (``configuration``) where it is no mapping of variables."""
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(_NAME.fullmatch(name) for name in given):
        raise TaskFailed(standard_error("configuration", "`environment` must map names of variables to values"))
    return {name: as_text(value) for name, value in given.items() if value is not None}


def returned(wanted: Return, code: int, stdout: str, stderr: str, what: str) -> JSON:
    """What ``return`` asks for; ``what`` names the process in errors.

    Raises ``TaskFailed`` (``runtime``) for an exit code other than 0 where nothing else would show it.
    """
    match wanted:
        case "all":
            return {"code": code, "stdout": stdout, "stderr": stderr}
        case "code":
            return code
        case "stderr":
            return stderr
    if code != 0:
        said = stderr.strip()[-_SHOWN:] or "it wrote nothing to stderr"
        raise TaskFailed(standard_error("runtime", f"{what} ended with exit code {code}: {said}"))
    return stdout if wanted == "stdout" else None
