"""A stand-in for the `docker` command that really runs processes: images are shell texts, containers are folders.

What it says and how it exits is what Docker 28 does, as far as Lowtide asks. `install` puts it on a PATH.

Each command is a process, and a container takes ten of them: so it imports next to nothing, not even pathlib.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn

IMAGES = {
    "hello-world": 'echo "Hello from Docker!"; test $# = 0 || echo "$@"',
    "alpine": 'exec /bin/sh "$@"',
    "cat": 'cat; echo "$@"',
    "slow": "sleep 60",
}
HOME = os.environ.get("STANDIN_DOCKER", "/nonexistent")


def install(folder: Path) -> dict[str, str]:
    """The environment in which `docker` is this program, with no containers yet."""
    binaries, state = folder / "bin", folder / "containers"
    binaries.mkdir()
    state.mkdir()
    program = binaries / "docker"
    here, _, name = __file__.rpartition("/")
    # Imported, not run: so that it is compiled once.
    imported = f"import sys\nsys.path.insert(0, {here!r})\nimport {name.removesuffix('.py')} as docker\ndocker.main()\n"
    program.write_text(f"#!{sys.executable} -IS\n{imported}")
    program.chmod(0o755)
    return {"PATH": f"{binaries}:/usr/bin:/bin", "STANDIN_DOCKER": str(state)}


def fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(1)


class Made:
    """A container: its folder holds how it was made, its state, its output."""

    def __init__(self, name: str) -> None:
        self.folder = f"{HOME}/{name}"

    def read(self, what: str) -> bytes:
        with open(f"{self.folder}/{what}", "rb") as file:
            return file.read()

    def write(self, what: str, text: str) -> None:
        with open(f"{self.folder}/{what}.new", "w") as file:
            file.write(text)
        os.replace(f"{self.folder}/{what}.new", f"{self.folder}/{what}")

    def become(self, status: str, code: int = 0, finished: str = "0001-01-01T00:00:00Z") -> None:
        self.write("state", f"{status} {code} {finished}")

    def state(self) -> tuple[str, str, str]:
        """Its status, its exit code, and when it ended."""
        status, code, finished = self.read("state").decode().split()
        return status, code, finished

    def how(self) -> Any:
        """With which options it was made, of which image."""
        import json

        return json.loads(self.read("made"))


def known(name: str) -> Made:
    if not os.path.exists(f"{HOME}/{name}/state"):
        fail(f"Error response from daemon: No such container: {name}")
    return Made(name)


def elsewhere() -> str:
    """A folder, not there yet, for what is no container: not complete, or no longer."""
    return f"{HOME}-{os.getpid()}-{time.monotonic_ns()}"


def options(arguments: list[str], flags: set[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Long options and what stands behind them."""
    given: dict[str, list[str]] = {}
    while arguments and arguments[0].startswith("--"):
        name = arguments.pop(0)
        given.setdefault(name, []).append("" if name in flags else arguments.pop(0))
    return given, arguments


def create(arguments: list[str]) -> None:
    import json

    given, (image, *argv) = options(arguments, {"--interactive"})
    if image not in IMAGES:
        fail(
            f"Unable to find image '{image}:latest' locally\npull access denied for {image}, repository does not exist"
        )
    name = given["--name"][0]
    made = Made(name)
    made.folder = elsewhere()
    os.mkdir(made.folder)
    with open(given["--env-file"][0]) as file:
        environment = dict(line.split("=", 1) for line in file.read().splitlines())
    environment |= dict(one.split("=", 1) for one in given.get("--env", []))
    program = ["/bin/sh", "-c", IMAGES[image], image]
    if "--entrypoint" in given:
        program = given["--entrypoint"]
    made.write("made", json.dumps({"argv": [*program, *argv], "environment": environment, "options": given}))
    made.become("created")
    try:
        os.rename(made.folder, f"{HOME}/{name}")  # so that there is all of it or nothing
    except OSError:
        fail(f'Error response from daemon: Conflict. The container name "/{name}" is already in use by x.')
    print(name)


def start(arguments: list[str]) -> None:
    given, (name,) = options(arguments, {"--attach", "--interactive"})
    made = known(name)
    if "--attach" in given:
        with open(f"{made.folder}/stdin", "wb") as file:
            file.write(sys.stdin.buffer.read())
    supervisor = os.fork()
    if supervisor == 0:
        supervise(made)
        os._exit(0)
    while made.state()[0] == "created":
        time.sleep(0.005)
    if "--attach" in given:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(supervisor, 0)[1]))


def supervise(made: Made) -> None:
    """In a process that outlives the command, and holds none of its streams."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    how, stdin = made.how(), f"{made.folder}/stdin"
    files = (
        (0, stdin if os.path.exists(stdin) else os.devnull, os.O_RDONLY),
        (1, f"{made.folder}/stdout", os.O_WRONLY | os.O_CREAT),
        (2, f"{made.folder}/stderr", os.O_WRONLY | os.O_CREAT),
    )
    opened = [(os.POSIX_SPAWN_OPEN, *file, 0o600) for file in files]
    running = os.posix_spawn(how["argv"][0], how["argv"], how["environment"], file_actions=opened, setsid=True)
    made.write("pid", str(running))
    made.become("running")
    code = os.waitstatus_to_exitcode(os.waitpid(running, 0)[1])
    ended = time.time()
    finished = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ended)) + f".{int(ended % 1 * 1000):03d}Z"
    try:
        made.become("exited", 128 - code if code < 0 else code, finished)
    except FileNotFoundError:
        pass  # somebody removed it


def inspect(arguments: list[str]) -> None:
    given, names = options(arguments, set())
    for name in names:
        made = known(name)
        status, code, finished = made.state()
        if given["--format"] == ["{{json .State}}"]:
            rest = '"OOMKilled": false, "Error": ""'
            print(f'{{"Status": "{status}", "ExitCode": {code}, "FinishedAt": "{finished}", {rest}}}')
        else:
            labels = dict(label.split("=", 1) for label in made.how()["options"]["--label"])
            print(name, labels["dev.lowtide.after"], f'"{finished}"')


def logs(arguments: list[str]) -> None:
    made = known(arguments[0])
    sys.stdout.buffer.write(made.read("stdout"))
    sys.stderr.buffer.write(made.read("stderr"))


def rm(arguments: list[str]) -> None:
    _, names = options(arguments, {"--force", "--volumes"})
    for name in names:
        made = known(name)
        if made.state()[0] == "running":
            try:
                os.killpg(int(made.read("pid")), 9)
            except ProcessLookupError:
                pass
        away = elsewhere()
        os.rename(made.folder, away)  # its supervisor may still be writing
        for file in os.listdir(away):
            os.unlink(f"{away}/{file}")


def ps(arguments: list[str]) -> None:
    for name in os.listdir(HOME):
        made = Made(name)
        if made.state()[0] == "exited":
            labels = made.how()["options"]["--label"]
            if any(label.startswith("dev.lowtide.after=") for label in labels):
                print(name)


def main() -> None:
    folder = HOME.rpartition("/")[0]
    if os.path.exists(f"{folder}/down"):
        fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
    if os.path.exists(f"{folder}/slow"):
        time.sleep(1)
    globals()[sys.argv[1]](sys.argv[2:])
