"""A stand-in for the `docker` command that really runs processes: images are shell texts, containers are folders.

What it says and how it exits is what Docker 28 does, as far as Lowtide asks. `install` puts it on a PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

IMAGES = {
    "hello-world": 'echo "Hello from Docker!"; test $# = 0 || echo "$@"',
    "alpine": 'exec /bin/sh "$@"',
    "cat": 'cat; echo "$@"',
    "slow": "sleep 60",
}
HOME = Path(os.environ.get("STANDIN_DOCKER", "/nonexistent"))


def install(folder: Path) -> dict[str, str]:
    """The environment in which `docker` is this program, with no containers yet."""
    binaries, state = folder / "bin", folder / "containers"
    binaries.mkdir()
    state.mkdir()
    program = binaries / "docker"
    program.write_text(f"#!{sys.executable} -IS\nimport runpy\nrunpy.run_path({__file__!r}, run_name='__main__')\n")
    program.chmod(0o755)
    return {"PATH": f"{binaries}:/usr/bin:/bin", "STANDIN_DOCKER": str(state)}


def fail(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)


class Made:
    """A container: its folder holds how it was made, its state, its output."""

    def __init__(self, name: str) -> None:
        self.folder = HOME / name

    def read(self, what: str) -> Any:
        return json.loads((self.folder / what).read_text())

    def write(self, what: str, value: Any) -> None:
        new = self.folder / f"{what}.new"
        new.write_text(json.dumps(value))
        new.replace(self.folder / what)

    def state(self) -> Any:
        return self.read("state")


def known(name: str) -> Made:
    if not (HOME / name / "state").exists():
        fail(f"Error response from daemon: No such container: {name}")
    return Made(name)


def options(arguments: list[str], flags: set[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Long options and what stands behind them."""
    given: dict[str, list[str]] = {}
    while arguments and arguments[0].startswith("--"):
        name = arguments.pop(0)
        given.setdefault(name, []).append("" if name in flags else arguments.pop(0))
    return given, arguments


def create(arguments: list[str]) -> None:
    given, (image, *argv) = options(arguments, {"--interactive"})
    if image not in IMAGES:
        fail(
            f"Unable to find image '{image}:latest' locally\npull access denied for {image}, repository does not exist"
        )
    name = given["--name"][0]
    made = Made(name)
    made.folder = Path(tempfile.mkdtemp(dir=HOME.parent))
    environment = dict(line.split("=", 1) for line in Path(given["--env-file"][0]).read_text().splitlines())
    environment |= dict(one.split("=", 1) for one in given.get("--env", []))
    program = ["/bin/sh", "-c", IMAGES[image], image]
    if "--entrypoint" in given:
        program = given["--entrypoint"]
    made.write("made", {"argv": [*program, *argv], "environment": environment, "options": given})
    made.write("state", {"Status": "created", "ExitCode": 0, "OOMKilled": False, "Error": ""})
    try:
        made.folder.rename(HOME / name)  # so that there is all of it or nothing
    except OSError:
        fail(f'Error response from daemon: Conflict. The container name "/{name}" is already in use by x.')
    print(name)


def start(arguments: list[str]) -> None:
    given, (name,) = options(arguments, {"--attach", "--interactive"})
    made = known(name)
    if "--attach" in given:
        (made.folder / "stdin").write_bytes(sys.stdin.buffer.read())
    supervisor = [sys.executable, "-IS", __file__, "supervise", name]
    null = subprocess.DEVNULL
    process = subprocess.Popen(supervisor, stdin=null, stdout=null, stderr=null, start_new_session=True, env=os.environ)
    while made.state()["Status"] == "created":
        time.sleep(0.01)
    if "--attach" in given:
        sys.exit(process.wait())


def supervise(arguments: list[str]) -> None:
    made = Made(arguments[0])
    how = made.read("made")
    stdin = made.folder / "stdin"
    with (made.folder / "stdout").open("wb") as out, (made.folder / "stderr").open("wb") as err:
        with stdin.open("rb") if stdin.exists() else open(os.devnull, "rb") as given:  # noqa: PTH123
            running = subprocess.Popen(
                how["argv"], stdin=given, stdout=out, stderr=err, env=how["environment"], start_new_session=True
            )
        made.write("pid", running.pid)
        made.write("state", {**made.state(), "Status": "running"})
        code = running.wait()
    ended = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    state = {**made.state(), "Status": "exited", "ExitCode": 128 - code if code < 0 else code, "FinishedAt": ended}
    with suppress(FileNotFoundError):
        made.write("state", state)


def inspect(arguments: list[str]) -> None:
    given, names = options(arguments, set())
    for name in names:
        made = known(name)
        if given["--format"] == ["{{json .State}}"]:
            print(json.dumps(made.state()))
        else:
            labels = dict(label.split("=", 1) for label in made.read("made")["options"]["--label"])
            print(name, labels["dev.lowtide.after"], json.dumps(made.state()["FinishedAt"]))


def logs(arguments: list[str]) -> None:
    made = known(arguments[0])
    sys.stdout.buffer.write((made.folder / "stdout").read_bytes())
    sys.stderr.buffer.write((made.folder / "stderr").read_bytes())


def rm(arguments: list[str]) -> None:
    _, names = options(arguments, {"--force", "--volumes"})
    for name in names:
        made = known(name)
        if made.state()["Status"] == "running":
            with suppress(ProcessLookupError):
                os.killpg(made.read("pid"), signal.SIGKILL)
        away = Path(tempfile.mkdtemp(dir=HOME.parent))
        made.folder.rename(away)  # its supervisor may still be writing
        shutil.rmtree(away, ignore_errors=True)


def ps(arguments: list[str]) -> None:
    for folder in HOME.iterdir():
        made = Made(folder.name)
        labels = made.read("made")["options"]["--label"]
        if made.state()["Status"] == "exited" and any(label.startswith("dev.lowtide.after=") for label in labels):
            print(folder.name)


if __name__ == "__main__":
    if (HOME.parent / "down").exists():
        fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
    if (HOME.parent / "slow").exists():
        time.sleep(1)
    globals()[sys.argv[1]](sys.argv[2:])
