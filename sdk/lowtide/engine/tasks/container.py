"""``run: container``: passive, for a container may outlive any invocation; its end comes as an effect's does."""

from __future__ import annotations

import re
from typing import Any, Final

from lowtide.engine.flow import body_scope
from lowtide.engine.render import render
from lowtide.engine.run import PENDING, Place, Result, Run, frame_id
from lowtide.engine.tasks.process import advance
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Container, RunContainer
from lowtide.model.container import VOLUME, is_port
from lowtide.model.duration import to_millis
from lowtide.model.error import standard_error
from lowtide.model.plan import RunProcess
from lowtide.model.process import argv_of, as_text, environment_of
from lowtide.model.state import CallBody, TaskFrame

__all__ = ["advance", "start"]

_PULLS: Final = ("ifNotPresent", "always", "never")
_CLEANUPS: Final = ("always", "never", "eventually")
_IMAGE: Final = re.compile(r"[\w][\w.:/@+-]{0,511}", re.ASCII)


def start(run: Run, task: RunProcess, frame: TaskFrame, place: Place) -> Result:
    configuration = render(run, task.with_, frame.input, body_scope(run, frame, place))
    command = RunContainer(
        id=frame_id(frame),
        container=_container(configuration),
        reference=frame.ref,
        wanted=task.return_,
        timeout=None if frame.deadline is None else frame.deadline - frame.started,
        detached=not task.await_,
    )
    run.issue(command)
    if task.await_:
        run.fact(frame, "waiting", wait=command)
    frame.body = CallBody()
    return PENDING


def _container(given: JSON) -> Container:
    """The evaluated configuration, checked. Raises ``TaskFailed`` (``configuration``, 400)."""
    image, command, name = given.get("image"), given.get("command"), given.get("name")
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        raise _wrong("image", f"must name an image, it is {image!r}")
    if command is not None and (not isinstance(command, str) or not command.strip()):
        raise _wrong("command", f"must be a command, it is {command!r}")
    cleanup, after = _lifetime(given.get("lifetime"))
    return Container(
        image=image,
        name=None if name in (None, "") else as_text(name),
        command=command,
        arguments=tuple(_whole("arguments", one) for one in argv_of(given.get("arguments"))),
        environment={
            name: _whole("environment", text) for name, text in environment_of(given.get("environment")).items()
        },
        stdin=as_text(given.get("stdin")),
        ports=dict(_port(*one) for one in _mapping(given, "ports")),
        volumes=dict(_volume(*one) for one in _mapping(given, "volumes")),
        pull=_one_of("pullPolicy", given.get("pullPolicy") or "ifNotPresent", _PULLS),
        cleanup=cleanup,
        after=after,
    )


def _lifetime(given: JSON) -> tuple[Any, int]:
    """Where the document says nothing, nothing of the container is left behind."""
    if given is None:
        return "always", 0
    if not isinstance(given, dict):
        raise _wrong("lifetime", "must be an object with `cleanup`")
    cleanup = _one_of("lifetime.cleanup", given.get("cleanup") or "never", _CLEANUPS)
    if cleanup != "eventually":
        return cleanup, 0
    try:
        return cleanup, to_millis(given.get("after"))
    except ValueError as error:
        raise _wrong("lifetime.after", f"is not a duration: {error}") from error


def _port(outside: str, inside: JSON) -> tuple[str, int]:
    if not is_port(outside) or not is_port(inside):
        raise _wrong(
            "ports", f"maps ports (1 to 65535) of the machine to ports of the container, not {outside}: {inside!r}"
        )
    return str(int(outside)), int(inside)


def _volume(name: str, path: JSON) -> tuple[str, str]:
    if not VOLUME.fullmatch(name):
        raise _wrong(
            "volumes", f"{name!r} cannot be a volume's name (a-z, 0-9, -); folders of the machine are never mounted"
        )
    if not isinstance(path, str) or not path.startswith("/") or ":" in path or "\0" in path:
        raise _wrong("volumes", f"{name} must be mounted at an absolute path of the container, not {path!r}")
    return name, path


def _mapping(given: JSON, key: str) -> list[tuple[str, JSON]]:
    value = given.get(key)
    if value is None:
        return []
    if not isinstance(value, dict):
        raise _wrong(key, "must be a mapping")
    return list(value.items())


def _one_of(key: str, value: JSON, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise _wrong(key, f"is {value!r}; it is one of {', '.join(allowed)}")
    return value


def _whole(key: str, text: str) -> str:
    if "\0" in text:
        raise _wrong(key, "holds a NUL character, which no process can be given")
    return text


def _wrong(key: str, what: str) -> TaskFailed:
    return TaskFailed(standard_error("configuration", f"`run.container.{key}` {what}"))
