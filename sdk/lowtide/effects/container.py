"""``run: container`` on this machine: containers of Docker or Podman, by their command line.

What a container may do is what it may do on a cluster too: an ordinary user, no capabilities, bounded memory and
processor time, ports on the loopback interface alone, named volumes but no folder of the machine.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lowtide.effects import child
from lowtide.effects.child import Child, Ended, Limits
from lowtide.effects.process import check_allowed
from lowtide.errors import LowtideError, TaskFailed, Unavailable
from lowtide.model.base import Value
from lowtide.model.command import Container
from lowtide.model.container import Order, Seen
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["Bounds", "LocalContainers", "may_run"]

_PROGRAMS: Final = ("docker", "podman")
_PULLS: Final = {"ifNotPresent": "missing", "always": "always", "never": "never"}
_LABEL: Final = "dev.lowtide"
_ASKED: Final = Limits(seconds=30.0, memory=4 << 30, output=4 << 20)
_ONE_LINE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SHOWN: Final = 1000


class Bounds(Value, frozen=True, kw_only=True):
    """What each container may use. ``memory`` and ``output`` (of each stream) in bytes, ``pull`` in seconds."""

    memory: int = 512 * 1024 * 1024
    cpus: float = 1.0
    user: int = 65532
    output: int = 1024 * 1024
    pull: float = 300.0


def may_run(allowed: bool) -> None:
    """Raises ``TaskFailed`` (``authorization``, 403) where containers are off."""
    check_allowed(allowed, "`run: container`", "LOWTIDE_ALLOW_CONTAINER")


class LocalContainers:
    """Implements the ``Containers`` port. ``environment`` is that of the command line, where it finds its server."""

    def __init__(self, clock: Clock, environment: Mapping[str, str], *, allowed: bool, bounds: Bounds) -> None:
        self._clock = clock
        self._environment = dict(environment)
        self._allowed = allowed
        self._bounds = bounds
        self._attached: set[asyncio.Task[None]] = set()

    async def start(self, order: Order) -> None:
        """As the port says; ``configuration`` (400) where neither Docker nor Podman is installed."""
        may_run(self._allowed)
        await self._sweep()
        with tempfile.TemporaryDirectory(prefix="lowtide-run-") as folder:
            variables = Path(folder) / "environment"
            variables.touch(mode=0o600)
            argv = _created(order, self._bounds, variables)
            created = await self._ask(*argv, limits=Limits(seconds=self._bounds.pull, memory=4 << 30, output=4 << 20))
        if created.code != 0 and "already in use" not in _said(created):
            raise _refused(order.container, created)
        if (await self.look(order.id)).phase == "starting":
            await self._begin(order)

    async def _begin(self, order: Order) -> None:
        if order.container.stdin:
            return await self._begin_attached(order)
        started = await self._ask("start", order.id)
        if started.code != 0:
            raise _broken(order.container, _said(started))
        return None

    async def _begin_attached(self, order: Order) -> None:
        """Its stdin comes through the command line, which stays until it has taken all of it."""
        said = bytearray()

        def receive(fd: int, data: bytes) -> None:
            if fd == 2 and len(said) < _SHOWN:
                said.extend(data)

        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(file.write, order.container.stdin.encode())
            file.seek(0)
            attached = await child.launch(
                [self._program(), "start", "--attach", "--interactive", order.id],
                environment=self._environment,
                folder=Path.cwd(),
                memory=_ASKED.memory,
                receive=receive,
                stdin=file,
            )
        watching = asyncio.ensure_future(_until_exited(attached))
        self._attached.add(watching)
        watching.add_done_callback(self._attached.discard)
        while True:
            over = watching.done()  # asked before the look: a quick one may start and end between the two
            if (await self.look(order.id)).phase != "starting":
                return
            if over:
                raise _broken(order.container, said.decode(errors="replace"))
            await asyncio.wait({watching}, timeout=0.1)

    async def look(self, container: str) -> Seen:
        looked = await self._ask("inspect", "--type", "container", "--format", "{{json .State}}", container)
        if looked.code != 0:
            self._check_reached(looked)
            return Seen("gone")
        state = msgspec.json.decode(looked.stdout, type=dict[str, Any])
        match state.get("Status"):
            case "created" | "configured" | "initialized":
                return Seen("starting", problem=str(state.get("Error") or ""))
            case "exited" | "dead" | "stopped":
                problem = "it needed more memory than it may have" if state.get("OOMKilled") else ""
                return Seen("ended", code=int(state.get("ExitCode") or 0), problem=problem)
            case _:
                return Seen("running")

    async def logs(self, container: str) -> tuple[str, str]:
        limits = Limits(seconds=_ASKED.seconds, memory=_ASKED.memory, output=self._bounds.output)
        told = await self._ask("logs", container, limits=limits)
        if told.code != 0:
            self._check_reached(told)
            raise TaskFailed(standard_error("runtime", f"the container's output cannot be read: {_said(told)}"))
        return told.stdout.decode(errors="replace"), told.stderr.decode(errors="replace")

    async def end(self, container: str) -> None:
        if not self._allowed or self._found() is None:
            return  # so nothing was started
        removed = await self._ask("rm", "--force", "--volumes", container)
        if removed.code != 0:
            self._check_reached(removed)

    async def close(self) -> None:
        for watching in list(self._attached):
            watching.cancel()
        await asyncio.gather(*self._attached, return_exceptions=True)

    async def _sweep(self) -> None:
        """Remove those whose ``after`` is over: nothing of ours runs at that time by itself."""
        listed = await self._ask(
            "ps", "--all", "--quiet", "--filter", f"label={_LABEL}.after", "--filter", "status=exited"
        )
        found = listed.stdout.decode().split()
        if listed.code != 0 or not found:
            return
        shown = f'{{{{.Id}}}} {{{{index .Config.Labels "{_LABEL}.after"}}}} {{{{json .State.FinishedAt}}}}'
        told = await self._ask("inspect", "--type", "container", "--format", shown, *found)
        over = [
            name
            for name, after, finished in (line.split(None, 2) for line in told.stdout.decode().splitlines())
            if _moment(finished) + int(after) < self._clock.now()
        ]
        if over:
            await self._ask("rm", "--force", "--volumes", *over)

    def _found(self) -> str | None:
        path = self._environment.get("PATH")
        return next(filter(None, (shutil.which(name, path=path) for name in _PROGRAMS)), None)

    def _program(self) -> str:
        found = self._found()
        if found is not None:
            return found
        detail = "containers need Docker or Podman, and neither is installed here; on Kubernetes they run as Jobs"
        raise TaskFailed(standard_error("configuration", detail))

    async def _ask(self, *arguments: str, limits: Limits = _ASKED) -> Ended:
        """One call of the command line. Raises ``Unavailable`` where its server does not answer."""
        try:
            ended = await child.run(
                [self._program(), *arguments], environment=self._environment, folder=Path.cwd(), limits=limits
            )
        except TaskFailed as failure:
            if failure.error.status != 408:
                raise
            if arguments[0] == "create":
                detail = f"the container's image was not there within {limits.seconds:g} s"
                raise TaskFailed(standard_error("communication", detail)) from failure
            raise Unavailable(f"`{' '.join(arguments[:1])}` of the container runtime takes too long") from failure
        if ended.code != 0 and _is_away(_said(ended)):
            raise Unavailable(f"the container runtime cannot be reached: {_said(ended)}")
        return ended

    @staticmethod
    def _check_reached(ended: Ended) -> None:
        """That it knows no such container is an answer; anything else may pass."""
        said = _said(ended)
        if "no such" not in said.lower():
            raise Unavailable(f"the container runtime does not answer: {said}")


async def _until_exited(attached: Child) -> None:
    try:
        await attached.exited()
    finally:
        attached.kill()


def _created(order: Order, bounds: Bounds, variables: Path) -> list[str]:
    """The arguments of ``create``. Values of variables stay out of them, for every user may read those."""
    container = order.container
    argv = ["create", "--name", order.id, "--pull", _PULLS[container.pull]]
    for key, value in _labels(order).items():
        argv += ["--label", f"{_LABEL}.{key}={value}"]
    argv += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", str(bounds.user)]
    argv += ["--memory", str(bounds.memory), "--cpus", str(bounds.cpus), "--pids-limit", "512"]
    argv += ["--env-file", str(variables)]
    lines = []
    for name, value in container.environment.items():
        if _ONE_LINE.fullmatch(name) and not {"\n", "\r"} & set(value):
            lines.append(f"{name}={value}\n")
        else:
            argv += ["--env", f"{name}={value}"]  # such a file has no way to write it
    variables.write_text("".join(lines), encoding="utf-8")
    for outside, inside in container.ports.items():
        argv += ["--publish", f"127.0.0.1:{outside}:{inside}"]
    for name, path in container.volumes.items():
        argv += ["--volume", f"{name}:{path}"]
    if container.stdin:
        argv.append("--interactive")
    if container.command is None:
        return [*argv, container.image, *container.arguments]
    return [*argv, "--entrypoint", "/bin/sh", container.image, "-c", container.command, "sh", *container.arguments]


def _labels(order: Order) -> dict[str, str]:
    labels = {"execution": order.execution, "task": order.reference}
    if order.container.name is not None:
        labels["name"] = order.container.name
    if order.container.cleanup == "eventually":
        labels["after"] = str(order.container.after)
    return labels


def _said(ended: Ended) -> str:
    return ended.stderr.decode(errors="replace").strip()[-_SHOWN:]


def _is_away(said: str) -> bool:
    return any(
        sign in said.lower() for sign in ("cannot connect to", "is the docker daemon running", "unable to connect")
    )


def _refused(container: Container, ended: Ended) -> LowtideError:
    """Why it was not made: most often its image, which the registry does not give."""
    return TaskFailed(
        standard_error("communication", f"no container could be made of image {container.image}: {_said(ended)}")
    )


def _broken(container: Container, said: str) -> LowtideError:
    return TaskFailed(standard_error("runtime", f"the container of image {container.image} did not start: {said}"))


def _moment(text: str) -> int:
    """RFC 3339 in JSON quotes -> milliseconds."""
    return int(datetime.fromisoformat(text.strip('"')).timestamp() * 1000)
